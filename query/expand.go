package query

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5"

	"odastream/odata"
)

// expand adds to rows those of the links of a shape: one statement for each link, whole
// collections, by id.
func (v view) expand(ctx context.Context, rows []odata.Element, shape odata.Shape) error {
	for i := range rows {
		rows[i].Linked = make([][]odata.Element, len(shape.Links))
	}
	for n, link := range shape.Links {
		byValue := map[int64][]int{} // the rows that lead to a value
		for i, row := range rows {
			own, err := number(row.Data, link.Own)
			if err != nil {
				return err
			}
			if own != nil {
				byValue[*own] = append(byValue[*own], i)
			}
		}
		linked, values, err := v.readLinked(ctx, link, byValue)
		if err != nil {
			return err
		}
		if err := v.expand(ctx, linked, link.Shape); err != nil {
			return err
		}
		for at, row := range linked {
			for _, i := range byValue[values[at]] {
				if err := v.left.take(elementBytes); err != nil {
					return err
				}
				rows[i].Linked[n] = append(rows[i].Linked[n], row)
			}
		}
	}
	return nil
}

// readLinked returns the rows that a link leads to from any of the values, by id, and the
// value of each.
func (v view) readLinked(ctx context.Context, link odata.ExpandedLink, from map[int64][]int) (rows []odata.Element, values []int64, err error) {
	if len(from) == 0 {
		return nil, nil, nil
	}
	wanted := make([]int64, 0, len(from))
	for value := range from {
		wanted = append(wanted, value)
	}
	c := newCompiler(v.asOf)
	theirs := joined("t", link.Theirs)
	sql := fmt.Sprintf("SELECT t.data::text, %s FROM %s AS t WHERE %s AND %s = ANY (%s) ORDER BY t.entity_id",
		theirs, c.table(link.Entity), isOf("t", link.Entity), theirs, c.arg(wanted, "bigint[]"))
	found, err := v.tx.Query(ctx, sql, c.args...)
	if err != nil {
		return nil, nil, err
	}
	var row odata.Element
	var value int64
	_, err = pgx.ForEachRow(found, []any{&row.Data, &value}, func() error {
		if err := v.left.take(len(row.Data)); err != nil {
			return err
		}
		rows, values = append(rows, row), append(values, value)
		row = odata.Element{}
		return nil
	})
	return rows, values, err
}

// number returns a member of a row that a link compares; nil for null and for what is not
// a whole number.
func number(row []byte, name string) (*int64, error) {
	value, err := odata.Member(row, name)
	if err != nil {
		return nil, err
	}
	return wholeNumber(string(value)), nil
}

// wholeNumber returns the number that a JSON value is; nil for another value. Postgres keeps
// 5.0 as it was written.
func wholeNumber(value string) *int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err == nil {
		return &n
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return nil
	}
	n = int64(f)
	return &n
}
