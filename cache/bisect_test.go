package cache

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestBisectLeavesOutOnlyTheRecordsAtFault(t *testing.T) {
	t.Parallel()
	fault, outage := &pgconn.PgError{Code: "22P05"}, &pgconn.PgError{Code: "53100"}
	for claim, c := range map[string]struct {
		items            []int
		bad              []int // refused by Postgres
		down             int   // with this item the database is away
		written, refused []int
		err              error
	}{
		"no items":                    {},
		"all are fine":                {items: []int{1, 2, 3}, written: []int{1, 2, 3}},
		"one of many":                 {items: []int{1, 2, 3, 4, 5}, bad: []int{4}, written: []int{1, 2, 3, 5}, refused: []int{4}},
		"all of them":                 {items: []int{1, 2, 3}, bad: []int{1, 2, 3}, refused: []int{1, 2, 3}},
		"an outage ends the search":   {items: []int{1, 2, 3, 4}, bad: []int{1}, down: 3, written: []int{2}, refused: []int{1}, err: outage},
		"an outage refuses no record": {items: []int{1}, down: 1, err: outage},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var written, refused []int
			err := Bisect(c.items, func(part []int) error {
				for _, n := range part {
					if slices.Contains(c.bad, n) {
						return fault
					}
					if n == c.down {
						return outage
					}
				}
				written = append(written, part...)
				return nil
			}, func(item int, err error) error {
				refused = append(refused, item)
				if !errors.Is(err, fault) {
					t.Errorf("item %d is refused for %v, want %v", item, err, fault)
				}
				return nil
			})
			if !errors.Is(err, c.err) {
				t.Errorf("Bisect = %v, want %v", err, c.err)
			}
			if diff := cmp.Diff([][]int{c.written, c.refused}, [][]int{written, refused}); diff != "" {
				t.Errorf("written and refused (-want +got):\n%s", diff)
			}
		})
	}
}
