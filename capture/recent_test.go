package capture

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/oda"
	"odastream/schema"
)

// seen returns a page that shows row 1 in this version.
func seen(began, ended int64, version byte) page {
	return page{span: span{began, ended}, rows: []row{{Row: oda.Row{ID: 1}, checksum: schema.Checksum(version)}}}
}

func TestRecentTellsWhichOfTwoReadsIsNewer(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		first, second page
		want          byte // version of the second batch's row; 0: left out
		conflict      bool
	}{
		"the later one counts":                          {seen(1, 2, 'a'), seen(3, 4, 'b'), 'b', false},
		"an earlier one that arrives later is left out": {seen(3, 4, 'a'), seen(1, 2, 'b'), 0, false},
		"two that overlap and agree are no conflict":    {seen(1, 4, 'a'), seen(2, 3, 'a'), 'a', false},
		"two that overlap and differ are one":           {seen(1, 4, 'a'), seen(2, 3, 'b'), 'b', true},
		"whichever began first":                         {seen(2, 3, 'a'), seen(1, 4, 'b'), 'b', true},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			r := newRecent()
			r.begin(c.first.began)
			r.begin(c.second.began)
			r.newest([]page{c.first})
			r.end(c.first.began)
			rows, conflicts := r.newest([]page{c.second})
			var got byte
			if len(rows) == 1 {
				got = byte(rows[0].checksum)
			}
			if got != c.want || (len(conflicts) == 1) != c.conflict {
				t.Errorf("newest gives version %q, conflicts %v; want %q, %v", got, conflicts, c.want, c.conflict)
			}
		})
	}
}

func TestRecentKeepsReadsNewerThanAnOpenRequest(t *testing.T) {
	t.Parallel()
	r := newRecent()
	r.begin(1) // a slow one
	r.begin(5)
	r.newest([]page{seen(5, 6, 'b')})
	r.end(5)
	if rows, _ := r.newest([]page{seen(1, 2, 'a')}); len(rows) != 0 {
		t.Error("the slow request's older version was returned")
	}
	r.end(1)
	r.end()
	if kept := len(r.young.reads) + len(r.old.reads); kept != 0 || len(r.open) != 0 {
		t.Errorf("%d reads and %d requests are kept though no request is open", kept, len(r.open))
	}
}

func TestRecentProvesARowAbsentOnlyIfNoRequestSawIt(t *testing.T) {
	t.Parallel()
	r := newRecent()
	r.begin(1)
	r.newest([]page{seen(4, 6, 'a')})
	for by, want := range map[span]bool{{7, 8}: true, {5, 7}: false, {1, 2}: false} {
		if got := r.provesAbsent(1, by); got != want {
			t.Errorf("provesAbsent by %v is %v, want %v: the row was seen from 4 to 6", by, got, want)
		}
	}
	r.noteDeleted(1, span{7, 8})
	if rows, conflicts := r.newest([]page{seen(2, 3, 'a')}); len(rows)+len(conflicts) != 0 {
		t.Error("a read from before the proof brings the row back")
	}
}

func TestABatchHasEachRowOnce(t *testing.T) {
	t.Parallel()
	rows, conflicts := newRecent().newest([]page{seen(1, 2, 'a'), seen(3, 4, 'b'), seen(5, 6, 'c')})
	got := make([]byte, 0, len(rows))
	for _, r := range rows {
		got = append(got, byte(r.checksum))
	}
	if diff := cmp.Diff("c", string(got)); diff != "" || conflicts != nil {
		t.Errorf("newest (-want +got):\n%sconflicts %v", diff, conflicts)
	}
}

// deserted is a source without rows.
type deserted struct{ source }

func (deserted) Page(context.Context, string, oda.Window, oda.Lane) (oda.Page, error) {
	return oda.Page{}, nil
}

// Neither version of it is to be published, so a scan that forgot it would end too soon.
func TestARowThatIsGoneAfterAConflictIsApart(t *testing.T) {
	t.Parallel()
	r := &reader{entity: "Sag", source: deserted{}, seq: &seqClock{}, recent: newRecent(), clock: &sourceClock{}, pace: &pace{}}
	w := &writer{reader: r, recent: r.recent}
	r.recent.begin(1)
	rows, gone, err := w.latestVersions(t.Context(), []page{seen(1, 4, 'a'), seen(2, 3, 'b')})
	if err != nil || len(rows) != 0 || len(gone) != 1 || gone[0].ID != 1 {
		t.Errorf("latestVersions gives rows %v, gone %v, %v; want row 1 gone", rows, gone, err)
	}
}
