package query

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// List is a page of a list.
type List[T any] struct {
	Items []T
	Next  string // the after of the rest; "" if there is none
}

// listing is a list of rows of the views of schema parliament. The views cast the members
// of a row as field does, so the same indexes serve both.
type listing struct {
	*compiler
	name    string // of the list: its tokens begin with it
	columns string
	tables  string    // what the columns and the keys need
	id      string    // the column that tells the rows apart
	sought  string    // what the id, the keys and the conditions need, under the same aliases; "": tables
	where   []string  // conditions
	keys    []sortKey // the last one never ties
}

// add adds a condition.
func (l *listing) add(condition string) { l.where = append(l.where, condition) }

// condition returns all conditions as one.
func (l *listing) condition() string {
	if len(l.where) == 0 {
		return "true"
	}
	return strings.Join(l.where, " AND ")
}

// newest returns the key of an order that begins with the latest time.
func newest(column string) sortKey {
	return sortKey{expr: column, raw: cast(column, "text"), typ: "timestamp", desc: true}
}

// highest returns the key of an order that begins with the highest id.
func highest(column string) sortKey {
	return sortKey{expr: column, raw: cast(column, "text"), typ: "bigint", desc: true, id: true}
}

// sql returns the statement of a page behind a token, with one row more.
func (l *listing) sql(after string, limit int) (string, error) {
	if after != "" {
		values, err := l.readToken(after)
		if err != nil {
			return "", err
		}
		l.add(l.after(l.keys, values))
	}
	var raw, order []string
	for _, k := range l.keys {
		raw, order = append(raw, k.raw), append(order, k.orderBy())
	}
	where := l.condition()
	by := strings.Join(order, ", ")
	columns, most := l.columns+", ARRAY["+strings.Join(raw, ", ")+"]", l.arg(limit+1, "bigint")
	if l.sought == "" {
		return fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %s", columns, l.tables, where, by, most), nil
	}
	// The rows of the page are found first, so that only they are joined with all others.
	found := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %s", l.id, l.sought, where, by, most)
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s IN (%s) ORDER BY %s", columns, l.tables, l.id, found, by), nil
}

// readToken returns the values of the keys in a token of the list.
func (l *listing) readToken(token string) ([]*string, error) {
	values, err := view{}.readToken(token, append([]sortKey{{typ: "text"}}, l.keys...))
	if err != nil {
		return nil, err
	}
	if values[0] == nil || *values[0] != l.name {
		return nil, ErrToken
	}
	for i, k := range l.keys {
		if v := values[i+1]; v != nil && !isOfType(*v, k.typ) {
			return nil, ErrToken
		}
	}
	return values[1:], nil
}

// isOfType reports whether a text is what Postgres writes for a value of a type.
func isOfType(text, typ string) bool {
	var err error
	switch typ {
	case "bigint":
		_, err = strconv.ParseInt(text, 10, 64)
	case "timestamp":
		_, err = time.Parse("2006-01-02 15:04:05", text)
	}
	return err == nil && !strings.ContainsRune(text, 0)
}

// readList returns the items of a page, limit at most and at least one: those of a list that
// narrow adds conditions to. What belongs to each item is then added to all at once.
func readList[T any](
	ctx context.Context, r *Reader, l *listing, narrow func(context.Context, pgx.Tx, *listing) error,
	after string, limit int, adds ...func(context.Context, pgx.Tx, []T) error,
) (page List[T], err error) {
	l.compiler = newCompiler(nil)
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if err := narrow(ctx, tx, l); err != nil {
			return err
		}
		if page, err = readPage[T](ctx, tx, l, after, max(limit, 1)); err != nil {
			return err
		}
		for _, add := range adds {
			if err := add(ctx, tx, page.Items); err != nil {
				return err
			}
		}
		return nil
	})
	return page, err
}

func readPage[T any](ctx context.Context, tx pgx.Tx, l *listing, after string, limit int) (List[T], error) {
	page := List[T]{Items: []T{}}
	sql, err := l.sql(after, limit)
	if err != nil {
		return page, err
	}
	var key, last []*string
	err = scan(ctx, tx, sql, l.args, []any{&key}, func(item T) error {
		if len(page.Items) == limit {
			page.Next, err = view{}.writeToken(append([]*string{&l.name}, last...))
			return err
		}
		page.Items, last, key = append(page.Items, item), key, nil
		return nil
	})
	return page, err
}

// collect returns the rows of a statement, an empty list if there are none.
func collect[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]T, error) {
	list := []T{}
	err := scan(ctx, tx, sql, args, nil, func(item T) error {
		list = append(list, item)
		return nil
	})
	return list, err
}

// collectBy returns the rows of a statement by its last column, a number.
func collectBy[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) (map[int64][]T, error) {
	lists := map[int64][]T{}
	var by int64
	err := scan(ctx, tx, sql, args, []any{&by}, func(item T) error {
		lists[by] = append(lists[by], item)
		return nil
	})
	return lists, err
}

// only returns the one row of a statement: ErrNoRow if there is none.
func only[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) (item T, err error) {
	list, err := collect[T](ctx, tx, sql, args...)
	if err == nil && len(list) == 0 {
		err = ErrNoRow
	}
	if err != nil {
		return item, err
	}
	return list[0], nil
}

// orEmpty returns a list that JSON writes as one, if it is empty too.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// scan passes on each row of a statement. Its columns are the fields of the item, and
// then the others.
func scan[T any](ctx context.Context, tx pgx.Tx, sql string, args, others []any, each func(T) error) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var item T
	_, err = pgx.ForEachRow(rows, append(columns(reflect.ValueOf(&item).Elem()), others...), func() error {
		defer func() { item = *new(T) }()
		return each(item)
	})
	return err
}

// columns returns pointers to the fields of a struct, those of embedded ones among them.
// Fields with the tag db:"-" are none of a statement's columns.
func columns(of reflect.Value) (pointers []any) {
	for i := range of.NumField() {
		switch field := of.Type().Field(i); {
		case field.Anonymous:
			pointers = append(pointers, columns(of.Field(i))...)
		case field.Tag.Get("db") != "-":
			pointers = append(pointers, of.Field(i).Addr().Interface())
		}
	}
	return pointers
}
