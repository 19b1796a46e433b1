package query_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/test/pgtest"
	"odastream/query"
)

// lastStatement notes the last statement that reads rows.
type lastStatement struct {
	sql  string
	args []any
}

func (l *lastStatement) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(q.SQL, "SELECT") {
		l.sql, l.args = q.SQL, q.Args
	}
	return ctx
}

func (*lastStatement) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// planned is a copy with many cases, and a reader of it whose statements are noted.
func planned(t *testing.T) (*parliament, *query.Reader, *lastStatement) {
	t.Helper()
	p := made(t, nil)
	if _, err := p.pool.Exec(t.Context(), `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Sag', n, jsonb_build_object('titel', repeat('lang ', 50), 'periodeid', n % 7), 1 FROM generate_series(1, 20000) n`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.pool.Exec(t.Context(), "ANALYZE parliamentary_data"); err != nil {
		t.Fatal(err)
	}
	last := &lastStatement{}
	cfg := p.pool.Config()
	cfg.ConnConfig.Tracer = last
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return p, query.NewReader(pool), last
}

// A page in the order of ids begins in the primary key behind the last row of the one
// before, and reads no more rows than it has.
func TestAPageByIDIsReadFromThePrimaryKey(t *testing.T) {
	t.Parallel()
	p, reader, last := planned(t)
	for name, read := range map[string]func(after string) (next string, err error){
		"cases": func(after string) (string, error) {
			page, err := reader.Cases(t.Context(), query.CaseFilter{}, after, 10)
			return page.Next, err
		},
		"Sag": func(after string) (string, error) {
			request, err := p.model.Parse("Sag", "")
			if err != nil {
				return "", err
			}
			request.SkipToken = after
			page, err := reader.Rows(t.Context(), request, 10)
			return page.Next, err
		},
		"Sag by id desc": func(after string) (string, error) {
			request, err := p.model.Parse("Sag", "$orderby=id%20desc")
			if err != nil {
				return "", err
			}
			request.SkipToken = after
			page, err := reader.Rows(t.Context(), request, 10)
			return page.Next, err
		},
	} {
		next, err := read("")
		if err != nil {
			t.Fatal(err)
		}
		plan := pgtest.Lines(t, p.pool, "EXPLAIN "+last.sql, last.args...)
		if strings.Contains(plan, "Seq Scan on parliamentary_data_sag ") {
			t.Errorf("the first page of %s reads the whole entity:\n%s", name, plan)
		}
		if _, err := read(next); err != nil {
			t.Fatal(err)
		}
		plan = pgtest.Lines(t, p.pool, "EXPLAIN "+last.sql, last.args...)
		if !beginsInIndex(plan) {
			t.Errorf("the second page of %s does not begin behind the first:\n%s", name, plan)
		}
	}
}

// beginsInIndex reports whether a plan bounds ids by a condition of an index.
func beginsInIndex(plan string) bool {
	for line := range strings.Lines(plan) {
		if strings.Contains(line, "Index Cond: ") && (strings.Contains(line, "(entity_id > ") || strings.Contains(line, "(entity_id < ")) {
			return true
		}
	}
	return false
}

// A $skip in the order of ids counts keys of the primary key, and reads only the rows of
// its page.
func TestASkipReadsNoRowThatItSkips(t *testing.T) {
	t.Parallel()
	p, reader, last := planned(t)
	if _, err := p.pool.Exec(t.Context(), "VACUUM parliamentary_data_sag"); err != nil { // else the index alone does not say which rows are there
		t.Fatal(err)
	}
	for _, order := range []string{"", "&$orderby=id%20desc"} {
		request, err := p.model.Parse("Sag", "$skip=15000"+order)
		if err != nil {
			t.Fatal(err)
		}
		page, err := reader.Rows(t.Context(), request, 10)
		if err != nil || len(page.Rows) != 10 {
			t.Fatalf("%d rows, %v", len(page.Rows), err)
		}
		plan := pgtest.Lines(t, p.pool, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "+last.sql, last.args...)
		for line := range strings.Lines(plan) {
			_, rows, scan := strings.Cut(line, "(actual rows=")
			if scan && strings.Contains(line, "parliamentary_data_sag") && !strings.Contains(line, "Index Only Scan") && !strings.HasPrefix(rows, "11 ") {
				t.Errorf("a page behind 15,000 rows reads more than its own 11:\n%s", plan)
			}
		}
		if !strings.Contains(plan, "Index Only Scan") {
			t.Errorf("a page behind 15,000 rows counts them otherwise than in the primary key:\n%s", plan)
		}
	}
}
