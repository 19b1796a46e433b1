package oda

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"odastream/schema"
)

// Count asks how many rows of set lie inside w, in one request that carries one
// row at most. The row is checked against w as a page's are, and the number
// against the row: else the error is ErrNotHonoured (Invariant 7), also where
// the source states no number. The number is the source's word: rows may come
// and go at once.
func (c *Client) Count(ctx context.Context, set string, w Window, lane Lane) (int64, error) {
	rule, err := w.rule()
	if err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", set, err)
	}
	var count int64
	query := strings.TrimSuffix(w.query(), strconv.Itoa(schema.PageSize)) + "1&$inlinecount=allpages"
	err = c.ask(ctx, c.about(set, query, lane, func(r reply) error {
		fresh := rule // a copy for each try, since it counts on
		s, err := c.split(set, r.body, &fresh)
		if err != nil {
			return err
		}
		count, err = s.countOf()
		return err
	}))
	return count, err
}

// countOf reads a sheet that was asked for with one row and the number of all.
func (s sheet) countOf() (int64, error) {
	shown := int64(len(s.rows) + len(s.rejects))
	switch {
	case s.count < 0:
		return 0, fault(ErrNotHonoured, "no number of rows")
	case s.count < shown, shown == 0 && s.count > 0:
		return 0, fault(ErrNotHonoured, "%d rows are shown of %d", shown, s.count)
	}
	return s.count, nil
}
