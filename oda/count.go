package oda

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"odastream/schema"
)

// Count reads how many rows of set lie inside w, in one request that returns one row at
// most. The row is checked against w like a page's rows, and the count against the row.
// If a check fails or the source states no count, the error is ErrNotHonoured
// (Invariant 7). The count is the source's own: rows may come and go at any time.
func (c *Client) Count(ctx context.Context, set string, w Window, lane Lane) (int64, error) {
	rule, err := w.rule()
	if err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", set, err)
	}
	var count int64
	query := strings.TrimSuffix(w.query(), strconv.Itoa(schema.PageSize)) + "1&$inlinecount=allpages"
	err = c.ask(ctx, c.setRequest(set, query, lane, func(r reply) error {
		fresh := rule // a copy for each try, since it changes
		s, err := c.split(set, r.body, &fresh)
		if err != nil {
			return err
		}
		count, err = s.countOf()
		return err
	}))
	return count, err
}

// countOf reads the answer to a request for one row and the count of all.
func (s content) countOf() (int64, error) {
	shown := int64(len(s.rows) + len(s.rejects))
	switch {
	case s.count < 0:
		return 0, fault(ErrNotHonoured, "answer without a number of rows")
	case s.count < shown, shown == 0 && s.count > 0:
		return 0, fault(ErrNotHonoured, "%d rows returned of %d", shown, s.count)
	}
	return s.count, nil
}
