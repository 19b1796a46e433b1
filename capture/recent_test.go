package capture

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/oda"
	"odastream/schema"
)

// seen is a reading from one tick to another that shows row 1 in this version.
func seen(began, ended int64, version byte) reading {
	return reading{span: span{began, ended}, rows: []row{{Row: oda.Row{ID: 1}, spelling: schema.Spelling(version)}}}
}

func TestRecentTellsWhichOfTwoReadingsIsNewer(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		first, second reading
		want          byte // version of the second batch's row; 0: left out
		doubtful      bool
	}{
		"the later one counts":                        {seen(1, 2, 'a'), seen(3, 4, 'b'), 'b', false},
		"an earlier one that comes later is left out": {seen(3, 4, 'a'), seen(1, 2, 'b'), 0, false},
		"two at once that agree are no doubt":         {seen(1, 4, 'a'), seen(2, 3, 'a'), 'a', false},
		"two at once that differ are":                 {seen(1, 4, 'a'), seen(2, 3, 'b'), 'b', true},
		"whichever began first":                       {seen(2, 3, 'a'), seen(1, 4, 'b'), 'b', true},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			r := newRecent()
			r.begin(c.first.began)
			r.begin(c.second.began)
			r.newest([]reading{c.first})
			r.end(c.first.began)
			rows, doubtful := r.newest([]reading{c.second})
			var got byte
			if len(rows) == 1 {
				got = byte(rows[0].spelling)
			}
			if got != c.want || (len(doubtful) == 1) != c.doubtful {
				t.Errorf("newest gives version %q, doubtful %v; want %q, %v", got, doubtful, c.want, c.doubtful)
			}
		})
	}
}

func TestRecentKeepsWhatAnOpenRequestMayBeOlderThan(t *testing.T) {
	t.Parallel()
	r := newRecent()
	r.begin(1) // a slow one
	r.begin(5)
	r.newest([]reading{seen(5, 6, 'b')})
	r.end(5)
	if rows, _ := r.newest([]reading{seen(1, 2, 'a')}); len(rows) != 0 {
		t.Error("the slow request's older version counts")
	}
	r.end(1)
	r.end()
	if kept := len(r.young.seen) + len(r.old.seen); kept != 0 || len(r.open) != 0 {
		t.Errorf("%d sightings and %d requests are kept though none is open", kept, len(r.open))
	}
}

func TestRecentProvesARowGoneOnlyIfNobodySawIt(t *testing.T) {
	t.Parallel()
	r := newRecent()
	r.begin(1)
	r.newest([]reading{seen(4, 6, 'a')})
	for by, want := range map[span]bool{{7, 8}: true, {5, 7}: false, {1, 2}: false} {
		if got := r.missed(1, by); got != want {
			t.Errorf("missed by %v is %v, want %v: the row was seen from 4 to 6", by, got, want)
		}
	}
	r.gone(1, span{7, 8})
	if rows, doubtful := r.newest([]reading{seen(2, 3, 'a')}); len(rows)+len(doubtful) != 0 {
		t.Error("a reading from before the proof brings the row back")
	}
}

func TestBatchShowsEachRowOnce(t *testing.T) {
	t.Parallel()
	rows, doubtful := newRecent().newest([]reading{seen(1, 2, 'a'), seen(3, 4, 'b'), seen(5, 6, 'c')})
	got := make([]byte, 0, len(rows))
	for _, r := range rows {
		got = append(got, byte(r.spelling))
	}
	if diff := cmp.Diff("c", string(got)); diff != "" || doubtful != nil {
		t.Errorf("newest (-want +got):\n%sdoubtful %v", diff, doubtful)
	}
}
