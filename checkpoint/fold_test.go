package checkpoint

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"odastream/schema"
)

func dirty(id, seq int64) Entry   { return Entry{ID: id, Seq: seq, State: Dirty} }
func deleted(id, seq int64) Entry { return Entry{ID: id, Seq: seq, State: Deleted} }

func TestFoldComparesTheTopicWithTheLedger(t *testing.T) {
	t.Parallel()
	s := open(t)
	for claim, c := range map[string]struct {
		saved  []Entry
		folded []Entry
		want   Entry
	}{
		"a row that the ledger does not know":          {nil, []Entry{live(1, 5)}, live(1, 5)},
		"a newer record wins":                          {[]Entry{live(1, 5)}, []Entry{live(1, 6)}, live(1, 6)},
		"a newer delete wins":                          {[]Entry{live(1, 5)}, []Entry{deleted(1, 6)}, deleted(1, 6)},
		"the record that is known":                     {[]Entry{live(1, 5)}, []Entry{live(1, 5)}, live(1, 5)},
		"an older record is a previous holder's":       {[]Entry{live(1, 5)}, []Entry{live(1, 4)}, dirty(1, 5)},
		"an older delete is a previous holder's":       {[]Entry{live(1, 5)}, []Entry{deleted(1, 4)}, dirty(1, 5)},
		"an older record of a deleted row":             {[]Entry{deleted(1, 5)}, []Entry{live(1, 4)}, dirty(1, 5)},
		"the known one behind an older one heals":      {[]Entry{live(1, 5)}, []Entry{live(1, 4), live(1, 5)}, live(1, 5)},
		"a newer one behind an older one heals":        {[]Entry{live(1, 5)}, []Entry{live(1, 4), live(1, 9)}, live(1, 9)},
		"an older one behind the known one":            {[]Entry{live(1, 5)}, []Entry{live(1, 5), live(1, 4)}, dirty(1, 5)},
		"an older one behind a newer one":              {[]Entry{live(1, 5)}, []Entry{live(1, 9), live(1, 6)}, dirty(1, 9)},
		"an older one behind one not known until then": {nil, []Entry{live(1, 9), live(1, 6)}, dirty(1, 9)},
		"a tombstone behind its delete":                {[]Entry{live(1, 5)}, []Entry{deleted(1, 6), deleted(1, 6)}, deleted(1, 6)},
		"no change behind a record":                    {[]Entry{live(1, 5)}, []Entry{dirty(1, 0)}, dirty(1, 5)},
		"no change and a record in a fold":             {nil, []Entry{live(1, 5), dirty(1, 0)}, dirty(1, 5)},
		"a record behind no change heals":              {[]Entry{live(1, 5)}, []Entry{dirty(1, 0), live(1, 6)}, live(1, 6)},
		"older twice, then newer than the first":       {nil, []Entry{live(1, 9), live(1, 6), live(1, 8)}, dirty(1, 9)},
	} {
		for way, apart := range map[string]bool{"at once": false, "one by one": true} {
			t.Run(claim+" "+way, func(t *testing.T) {
				t.Parallel()
				entity := t.Name()
				lease := acquire(t, s, entity, "a")
				mustSave(t, s, lease, Progress{Entries: c.saved})
				for records := range slices.Chunk(c.folded, chunk(apart, len(c.folded))) {
					mustFold(t, s, lease, Progress{Entries: records})
				}
				if diff := cmp.Diff(map[int64]Entry{1: c.want}, entries(t, s, entity, 1)); diff != "" {
					t.Errorf("ledger (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func chunk(apart bool, all int) int {
	if apart {
		return 1
	}
	return all
}

// An older version of a row is told by the stamp of the newest one, also while the row
// is to be published again.
func TestTheStampOfTheNewestVersionStays(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	stamped := func(id, seq int64, stamp string) Entry {
		e := live(id, seq)
		e.Stamp = stamp
		return e
	}
	mustSave(t, s, lease, Progress{Entries: []Entry{stamped(1, 5, "b"), stamped(2, 5, "b"), stamped(3, 5, "b"), deleted(4, 5)}})
	mustFold(t, s, lease, Progress{Entries: []Entry{stamped(1, 4, "a"), dirty(2, 0), stamped(3, 9, "c"), stamped(3, 8, "a"), stamped(4, 4, "a")}})
	stamps := func() map[int64]string {
		got := map[int64]string{}
		for id, e := range entries(t, s, entity, 1, 2, 3, 4) {
			got[id] = e.Stamp
		}
		return got
	}
	want := map[int64]string{1: "b", 2: "b", 3: "c", 4: ""}
	if diff := cmp.Diff(want, stamps()); diff != "" {
		t.Errorf("stamps of Dirty rows (-want +got):\n%s", diff)
	}
	if err := s.ResetTopic(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, stamps()); diff != "" {
		t.Errorf("stamps of Lost rows (-want +got):\n%s", diff)
	}
}

func TestARecordThatIsNoChangeMakesNoRow(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustFold(t, s, lease, Progress{Entries: []Entry{dirty(1, 0), live(2, 5)}})
	if diff := cmp.Diff(map[int64]Entry{2: live(2, 5)}, entries(t, s, entity, 1, 2)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func TestADirtyRowIsLiveOncePublishedAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 5), live(2, 6), live(3, 7)}})
	mustFold(t, s, lease, Progress{Entries: []Entry{live(3, 1), live(1, 1)}})
	wantDirty(t, s, entity, 1, 3)
	// A seq that is known already is not the topic's last record of the row.
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 5)}})
	wantDirty(t, s, entity, 1, 3)
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 8), deleted(3, 9)}})
	wantDirty(t, s, entity)
	want := map[int64]Entry{1: live(1, 8), 2: live(2, 6), 3: deleted(3, 9)}
	if diff := cmp.Diff(want, entries(t, s, entity, 1, 2, 3, 4)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func wantDirty(t *testing.T, s *Store, entity string, want ...int64) {
	t.Helper()
	got, err := s.DirtyIDs(t.Context(), entity, -1<<62, 100)
	if err != nil {
		t.Fatalf("DirtyIDs = %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("DirtyIDs (-want +got):\n%s", diff)
	}
}

func TestDirtyIDsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease, other := acquire(t, s, entity, "a"), acquire(t, s, "Aktør", "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{dirty(-3, 1), dirty(1, 1), live(2, 1), dirty(5, 1), deleted(6, 1), dirty(7, 1)}})
	mustSave(t, s, other, Progress{Entries: []Entry{dirty(4, 1)}})
	for after, want := range map[int64][]int64{-100: {-3, 1}, -3: {1, 5}, 1: {5, 7}, 5: {7}, 7: nil} {
		got, err := s.DirtyIDs(t.Context(), entity, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("DirtyIDs after %d (-want +got):\n%s", after, diff)
		}
	}
}

// topicModel is an entity's topic, and what the ledger must hold of it.
type topicModel struct {
	ledger map[int64]Entry
}

// save does what a poller does after an acknowledgement.
func (m *topicModel) save(e Entry) {
	if old, ok := m.ledger[e.ID]; !ok || old.Seq < e.Seq {
		m.ledger[e.ID] = e
	}
}

// fold reads one record.
func (m *topicModel) fold(e Entry) {
	if old, ok := m.ledger[e.ID]; ok && e.Seq < old.Seq {
		e = Entry{ID: e.ID, Seq: old.Seq, State: Dirty, Stamp: old.Stamp}
	}
	m.ledger[e.ID] = e
}

func (m *topicModel) rowChecksums() map[int64]RowChecksum {
	all := map[int64]RowChecksum{}
	for id, e := range m.ledger {
		all[id] = e.RowChecksum()
	}
	return all
}

// Saves and folds come in any order, and records in batches of any size: the ledger
// is the same as if each record were read alone.
func TestLedgerAgainstAModel(t *testing.T) {
	t.Parallel()
	s := open(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		entity := fmt.Sprintf("entity %d", round)
		lease := acquire(t, s, entity, "a")
		m := topicModel{ledger: map[int64]Entry{}}
		highest := int64(0)
		batches := rapid.SliceOfN(rapid.Custom(drawEntry), 0, 12)
		r.Repeat(map[string]func(*rapid.T){
			"save": func(r *rapid.T) {
				batch := once(batches.Draw(r, "saved"))
				for _, e := range batch {
					m.save(e)
					highest = max(highest, e.Seq)
				}
				mustSave(t, s, lease, Progress{Entries: batch})
			},
			"fold": func(r *rapid.T) {
				batch := batches.Draw(r, "folded")
				for _, e := range batch {
					m.fold(e)
					highest = max(highest, e.Seq)
				}
				mustFold(t, s, lease, Progress{Entries: batch})
			},
			"": func(r *rapid.T) {
				if diff := cmp.Diff(m.ledger, entries(t, s, entity, 1, 2, 3, 4, 5)); diff != "" {
					r.Fatalf("ledger (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(m.rowChecksums(), rowChecksums(t, s, entity, nil, schema.IDRange{Low: 0, High: 5})); diff != "" {
					r.Fatalf("ledger in short (-want +got):\n%s", diff)
				}
				if got := load(t, s, entity).Seq; got != highest {
					r.Fatalf("seq is %d, want %d", got, highest)
				}
			},
		})
	})
}

// drawEntry draws a record of few rows and few seqs, so that they collide. A seq
// has one content.
func drawEntry(t *rapid.T) Entry {
	e := live(rapid.Int64Range(1, 5).Draw(t, "id"), rapid.Int64Range(1, 12).Draw(t, "seq"))
	if e.Seq%4 == 0 {
		return deleted(e.ID, e.Seq)
	}
	e.Stamp = fmt.Sprintf("stamp %d", e.Seq)
	e.Fields = []byte(e.Stamp)
	return e
}

// once keeps the first entry of each row: a batch that is published has each row once.
func once(batch []Entry) []Entry {
	seen := map[int64]bool{}
	return slices.DeleteFunc(batch, func(e Entry) bool {
		defer func() { seen[e.ID] = true }()
		return seen[e.ID]
	})
}
