package capture

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/odasim"
	"odastream/schema"
)

// realRows returns an entity of a real capture, by id.
func realRows(t *testing.T, capture, set string) map[int64][]byte {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	file, err := os.Open(filepath.Join(root, "snapshots", capture, set+".ndjson.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("REAL ROWS MISSING: %v; set ODASTREAM_REAL_ROWS to the folder that holds snapshots/", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int64][]byte{}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		row := slices.Clone(lines.Bytes())
		rows[idOf(t, row)] = row
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// news is what a poller has to publish of a history.
type news struct{ creates, updates, deletes int }

// difference compares two captures by id, without code of this package.
func difference(before, after map[int64][]byte) (n news, silent, empty int) {
	for id, is := range after {
		was, known := before[id]
		same := known && string(content(was)) == string(content(is))
		restamped := known && member(was, "opdateringsdato") != member(is, "opdateringsdato")
		switch {
		case !known:
			n.creates++
		case !same && !restamped:
			n.updates++
			silent++
		case !same:
			n.updates++
		case restamped:
			empty++
		}
	}
	for id := range before {
		if _, there := after[id]; !there {
			n.deletes++
		}
	}
	return n, silent, empty
}

// Exactly the real changes between two captures are published: rows that are new,
// rows that differ, with a new stamp or without one, and rows that are gone. Rows
// with a new stamp and the same content are not.
func TestRealHistoriesArePublishedExactly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		entity, set, from, to string
		since, until          time.Time // source's time at the two captures
		want                  news
		byScan                int // silent edits and deletes
		empty                 int // stamps without a change
	}{
		"afstemning, 2014 to 2019": {
			entity: "Afstemning", set: "afstemning", from: "2014-10", to: "2019-03",
			since: time.Date(2014, 10, 17, 18, 0, 0, 0, time.UTC), until: time.Date(2019, 3, 23, 6, 0, 0, 0, time.UTC),
			want: news{creates: 5302, updates: 1655, deletes: 6}, byScan: 4 + 6, empty: 0,
		},
		"aktør, seven weeks of 2014": {
			entity: "Aktør", set: "aktoer", from: "2014-10", to: "2014-12",
			since: time.Date(2014, 10, 17, 14, 30, 0, 0, time.UTC), until: time.Date(2014, 12, 6, 6, 0, 0, 0, time.UTC),
			want: news{creates: 6, updates: 193}, byScan: 0, empty: 46,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := realRows(t, tt.from, tt.set), realRows(t, tt.to, tt.set)
			want, silent, empty := difference(before, after)
			if want != tt.want || silent+want.deletes != tt.byScan || empty != tt.empty {
				t.Fatalf("the captures differ by %+v, %d silent, %d empty stamps: not the rows that the test was written for", want, silent, empty)
			}
			w := newWorld(t, odasim.Options{}, tt.entity)
			w.sim.SetNow(tt.since)
			w.become(tt.entity, nil, before)
			w.mustOnce()
			w.sim.SetNow(tt.until)
			w.become(tt.entity, before, after)
			w.mustOnce() // the tail alone
			w.cfg.ScanEvery = time.Nanosecond
			w.mustOnce()
			w.mustOnce()

			var got news
			byScan := 0
			for _, c := range w.changes(tt.entity) {
				switch c.Action {
				case schema.Snapshot:
					continue
				case schema.Create:
					got.creates++
				case schema.Update:
					got.updates++
					if want := differing(before[c.ID], c.Data); !slices.Equal(c.Changed, want) {
						t.Errorf("%s: changed is %q, want %q", c.Key(), c.Changed, want)
					}
				case schema.Delete:
					got.deletes++
				}
				if c.Origin == schema.OriginScan {
					byScan++
				}
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(news{})); diff != "" || byScan != tt.byScan {
				t.Errorf("published (-want +got), %d found by scan, want %d:\n%s", byScan, tt.byScan, diff)
			}
			if n := len(w.messages(tt.entity)); n != len(before)+want.creates+want.updates+2*want.deletes {
				t.Errorf("topic holds %d records", n)
			}
		})
	}
}

// become changes the source's rows from one capture to another.
func (w *world) become(entity string, before, after map[int64][]byte) {
	w.t.Helper()
	for id := range before {
		if _, stays := after[id]; !stays {
			w.sim.Delete(entity, id)
		}
	}
	for _, row := range after {
		if err := w.sim.Put(entity, row); err != nil {
			w.t.Fatal(err)
		}
	}
}
