package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/odata"
	"odastream/schema"
)

// Reader answers requests from the copy. It is safe for concurrent use.
type Reader struct {
	pool *pgxpool.Pool
	held int    // how many bytes an answer to a request of rows may hold
	tx   pgx.Tx // of a Moment; nil: each question is answered from a moment of its own
}

// NewReader returns a Reader on a pool, which stays the caller's to close. The pool's
// statement_timeout bounds each statement.
func NewReader(pool *pgxpool.Pool) *Reader { return &Reader{pool: pool, held: maxHeld} }

// Errors of requests that are well-formed.
var (
	// ErrNoRow says that a row that the path names does not exist.
	ErrNoRow = errors.New("there is no such row")
	// ErrNoValue says that an expression has no value for some row: a number that is too
	// large, or a time that does not exist.
	ErrNoValue = errors.New("an expression has no value")
	// ErrTimeout says that a statement ran into the session's statement_timeout.
	ErrTimeout = errors.New("the query took too long")
	// ErrToken says that a $skiptoken was not written for this request.
	ErrToken = errors.New("the $skiptoken is not of this request")
)

// canceled is the SQLSTATE of a statement that was ended.
const canceled = "57014"

// Page is an answer of rows.
type Page struct {
	Rows  []odata.Element
	Count int64  // of all rows that match, if the request asks for it
	Next  string // the $skiptoken of the rest; "" if there is none
}

// Rows returns rows of a request, limit at most, in its order. Where there are more, Next
// leads on: rows that are written meanwhile shift no other.
func (r *Reader) Rows(ctx context.Context, request *odata.Request, limit int) (page Page, err error) {
	err = r.view(ctx, request, func(v view) error {
		s, err := v.selection(ctx, request)
		if err != nil {
			return err
		}
		if page, err = s.page(ctx, request, limit); err != nil {
			return err
		}
		if request.Count {
			page.Count, err = s.count(ctx)
		}
		return err
	})
	return page, err
}

// Row returns the one row of a request: ErrNoRow if there is none.
func (r *Reader) Row(ctx context.Context, request *odata.Request) (row odata.Element, err error) {
	err = r.view(ctx, request, func(v view) error {
		if row, err = v.walk(ctx, request.Resource, request.Links); err != nil {
			return err
		}
		rows := []odata.Element{row}
		err = v.expand(ctx, rows, request.Shape)
		row = rows[0]
		return err
	})
	return row, err
}

// Count returns the number of rows of a request.
func (r *Reader) Count(ctx context.Context, request *odata.Request) (n int64, err error) {
	err = r.view(ctx, request, func(v view) error {
		s, err := v.selection(ctx, request)
		if err != nil {
			return err
		}
		n, err = s.count(ctx)
		return err
	})
	return n, err
}

// Cost returns what Postgres expects a request's page of at most limit rows to cost, and
// its count if it asks for one, in its own units: a page of a table that is read in order
// is 1. It reads no row.
func (r *Reader) Cost(ctx context.Context, request *odata.Request, limit int) (cost float64, err error) {
	err = r.view(ctx, request, func(v view) error {
		s, err := v.selection(ctx, request)
		if err != nil {
			return err
		}
		if request.Kind == odata.Count || request.Count {
			if cost, err = s.planned(ctx, "SELECT count(*)"+s.from()); err != nil || request.Kind == odata.Count {
				return err
			}
		}
		onPage := s.apart()
		keys := onPage.sortKeys(request.OrderBy)
		skip, err := onPage.begin(request, keys, limit)
		if err != nil {
			return err
		}
		page, err := onPage.planned(ctx, onPage.statement(keys, skip, limit+1))
		cost += page
		return err
	})
	return cost, err
}

// planned returns what Postgres expects a statement to cost.
func (s *selection) planned(ctx context.Context, sql string) (float64, error) {
	var text []byte
	if err := s.tx.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+sql, s.args...).Scan(&text); err != nil {
		return 0, err
	}
	var plans []struct {
		Plan struct {
			Cost float64 `json:"Total Cost"`
		}
	}
	if err := json.Unmarshal(text, &plans); err != nil {
		return 0, fmt.Errorf("read a plan of Postgres: %w", err)
	}
	if len(plans) != 1 {
		return 0, fmt.Errorf("read a plan of Postgres: it has %d statements", len(plans))
	}
	return plans[0].Plan.Cost, nil
}

// snapshot does work on the rows of one moment.
func (r *Reader) snapshot(ctx context.Context, work func(pgx.Tx) error) error {
	if r.tx != nil {
		return meaning(work(r.tx))
	}
	return meaning(pgx.BeginTxFunc(ctx, r.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, work))
}

// meaning returns an error of Postgres as one of those that this package names.
func meaning(err error) error {
	var refused *pgconn.PgError
	switch {
	case !errors.As(err, &refused):
		return err
	case strings.HasPrefix(refused.Code, "22"):
		return fmt.Errorf("%w: %s", ErrNoValue, refused.Message)
	case refused.Code == canceled:
		return fmt.Errorf("%w: %s", ErrTimeout, refused.Message)
	}
	return err
}

// view does work on the rows of the instant that a request asks for. One statement is of one
// moment without a transaction, whose begin and end would be two more round trips.
func (r *Reader) view(ctx context.Context, request *odata.Request, work func(view) error) error {
	if r.tx == nil && isOneStatement(request) {
		return meaning(work(view{r.pool, nil, &budget{r.held}}))
	}
	return r.snapshot(ctx, func(tx pgx.Tx) error {
		v := view{tx, request.AsOf, &budget{r.held}}
		if err := v.check(ctx); err != nil {
			return err
		}
		return work(v)
	})
}

// isOneStatement reports whether a request is answered by one statement.
func isOneStatement(request *odata.Request) bool {
	return request.AsOf == nil && len(request.Links) == 0 && len(request.Shape.Links) == 0 && !request.Count
}

// walk returns the row at the end of links to one row each, from the one that a path
// names.
func (v view) walk(ctx context.Context, path odata.Resource, links []schema.Link) (row odata.Element, err error) {
	entity, id := path.Set.Name, path.Key
	for {
		if id == nil {
			return row, ErrNoRow
		}
		if row.Data, err = v.row(ctx, entity, *id); err != nil {
			return row, err
		}
		if row.Data == nil {
			return row, ErrNoRow
		}
		if len(links) == 0 {
			return row, nil
		}
		if id, err = number(row.Data, links[0].Own); err != nil {
			return row, err
		}
		entity, links = links[0].Entity, links[1:]
	}
}

// selection is the rows that a request asks for.
type selection struct {
	view
	*compiler
	table string
	where []string
}

// selection returns the rows of a request: those of an entity, or of a link.
func (v view) selection(ctx context.Context, request *odata.Request) (*selection, error) {
	s := &selection{view: v, compiler: newCompiler(request.AsOf)}
	s.table = s.compiler.table(request.Entity.Name)
	alias := s.sources[0].alias
	s.where = append(s.where, isOf(alias, request.Entity.Name))
	if n := len(request.Links); n > 0 {
		row, err := v.walk(ctx, request.Resource, request.Links[:n-1])
		if err != nil {
			return nil, err
		}
		own, err := number(row.Data, request.Links[n-1].Own)
		if err != nil {
			return nil, err
		}
		s.where = append(s.where, joined(alias, request.Links[n-1].Theirs)+" = "+s.arg(own, "bigint"))
	}
	if request.Filter != nil {
		s.where = append(s.where, s.condition(request.Filter, loose))
	}
	return s, nil
}

// from returns the tables and the condition.
func (s *selection) from() string {
	source := s.sources[0]
	return " FROM " + s.table + " AS " + source.alias + source.joins + " WHERE " + strings.Join(s.where, " AND ")
}

func (s *selection) count(ctx context.Context) (n int64, err error) {
	err = s.tx.QueryRow(ctx, "SELECT count(*)"+s.from(), s.args...).Scan(&n)
	return n, err
}

// page returns the rows of a page, with those of the links that they are expanded by.
func (s *selection) page(ctx context.Context, request *odata.Request, limit int) (page Page, err error) {
	onPage := s.apart()
	keys := onPage.sortKeys(request.OrderBy)
	skip, err := onPage.begin(request, keys, limit)
	if err != nil {
		return page, err
	}
	rows, values, err := onPage.read(ctx, keys, skip, limit+1)
	if err != nil {
		return page, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		if limit > 0 {
			if page.Next, err = onPage.writeToken(values[limit-1]); err != nil {
				return page, err
			}
		}
	}
	page.Rows = rows
	return page, s.expand(ctx, rows, request.Shape)
}

// apart returns a copy: a page adds to the condition, and a count does not want that.
func (s *selection) apart() *selection {
	return &selection{view: s.view, compiler: s.copy(), table: s.table, where: slices.Clip(s.where)}
}

// begin leaves out the rows before the page, and returns how many are still to be skipped.
func (s *selection) begin(request *odata.Request, keys []sortKey, limit int) (skip int64, err error) {
	var after *string
	if request.SkipToken != "" {
		values, err := s.readToken(request.SkipToken, keys)
		if err != nil {
			return 0, err
		}
		s.where = append(s.where, s.after(keys, values))
		after = values[0]
	}
	allByID := request.Filter == nil && len(request.Links) == 0 && len(keys) == 1
	switch {
	case !allByID:
	case s.asOf != nil && !keys[0].desc && request.Skip < math.MaxInt32:
		s.table = s.firstRows(request.Entity.Name, after, request.Skip+int64(limit)+1)
	case s.asOf == nil && request.Skip > 0 && after == nil:
		s.where = append(s.where, s.skipped(request.Entity.Name, keys[0], request.Skip))
		return 0, nil
	}
	return request.Skip, nil
}

// skipped returns the condition that rows are behind the first ones of an entity in the
// order of its ids, which it finds in the primary key: a deep $skip reads no row that it
// skips.
func (s *selection) skipped(entity string, id sortKey, rows int64) string {
	behind, direction := ">", ""
	if id.desc {
		behind, direction = "<", " DESC"
	}
	return fmt.Sprintf("%s %s (SELECT k.entity_id FROM %s AS k WHERE %s ORDER BY k.entity_id%s LIMIT 1 OFFSET %s)",
		id.expr, behind, s.table, isOf("k", entity), direction, s.arg(rows-1, "bigint"))
}

// statement reads rows in an order, and the values of its keys for each.
func (s *selection) statement(keys []sortKey, skip int64, limit int) (sql string) {
	var columns, order []string
	for _, k := range keys {
		columns, order = append(columns, k.raw), append(order, k.orderBy())
	}
	return fmt.Sprintf("SELECT %s.data::text, ARRAY[%s]%s ORDER BY %s LIMIT %s OFFSET %s", s.sources[0].alias, strings.Join(columns, ", "),
		s.from(), strings.Join(order, ", "), s.arg(limit, "bigint"), s.arg(skip, "bigint"))
}

// read returns rows in an order, and the values of its keys for each.
func (s *selection) read(ctx context.Context, keys []sortKey, skip int64, limit int) (rows []odata.Element, values [][]*string, err error) {
	sql := s.statement(keys, skip, limit)
	found, err := s.tx.Query(ctx, sql, s.args...)
	if err != nil {
		return nil, nil, err
	}
	var row odata.Element
	var of []*string
	_, err = pgx.ForEachRow(found, []any{&row.Data, &of}, func() error {
		if err := s.left.take(len(row.Data)); err != nil {
			return err
		}
		rows, values = append(rows, row), append(values, of)
		row, of = odata.Element{}, nil
		return nil
	})
	return rows, values, err
}
