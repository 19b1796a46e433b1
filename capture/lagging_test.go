package capture

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/oda"
	"odastream/schema"
)

// inTurn is a lie told to each question in turn: the first time, or the second.
func inTurn(first bool, lie func(asked oda.Window, page oda.Page) oda.Page) func(oda.Window, oda.Lane, oda.Page) (oda.Page, error) {
	turns := map[oda.Window]bool{}
	return func(asked oda.Window, _ oda.Lane, page oda.Page) (oda.Page, error) {
		again := turns[asked]
		turns[asked] = !again
		if again == first {
			return page, nil
		}
		return lie(asked, page), nil
	}
}

// showing returns a page with one more row, if the page is asked for by ids and spans it.
func showing(asked oda.Window, page oda.Page, id int64, data []byte, stamp string) oda.Page {
	last, _ := page.LastID()
	if !asked.IDs.Contains(id) || asked.After != "" || len(page.Rows) == schema.PageSize && id > last {
		return page
	}
	row := oda.Row{ID: id, Data: data, Opdateringsdato: stamp}
	at, there := slices.BinarySearchFunc(page.Rows, id, func(r oda.Row, id int64) int { return cmp.Compare(r.ID, id) })
	if !there {
		page.Rows = slices.Insert(slices.Clone(page.Rows), at, row)
	}
	return page
}

// eachTurn runs a test with lies to the first and to the second answer of each question.
func eachTurn(t *testing.T, test func(t *testing.T, first bool)) {
	t.Helper()
	for name, first := range map[string]bool{"the first answer lags": true, "the second answer lags": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, first)
		})
	}
}

// A node that lags still has rows that were deleted.
func TestANodeThatLagsBringsNoDeletedRowBack(t *testing.T) {
	t.Parallel()
	eachTurn(t, func(t *testing.T, first bool) {
		w := many(t, 250)
		row, stamp := w.sim.Row("Sag", 97), stampAt(atNoon().AddDate(0, 0, -1))
		w.vanish(97, 97)
		w.mustOnce()
		before := len(w.messages("Sag"))
		w.liar().tell(inTurn(first, func(asked oda.Window, page oda.Page) oda.Page {
			return showing(asked, page, 97, row, stamp)
		}))
		for range 3 {
			w.mustOnce()
		}
		if got := len(w.messages("Sag")); got != before {
			t.Errorf("%d records were published for a row that is deleted", got-before)
		}
		w.checkTopic("Sag")
	})
}

// A row whose last record is not its newest is published again, and in its newest
// version.
func TestANodeThatLagsPublishesNothingOlderOfADirtyRow(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world, old schema.Change){
		"a late record of another poller": func(w *world, old schema.Change) { w.publishBehind(old) },
		"a record that is no change":      func(w *world, old schema.Change) { w.produce(old.Key(), "no change") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTurn(t, func(t *testing.T, first bool) {
				w, old := changed(t)
				spoil(w, old)
				w.liar().tell(inTurn(first, func(_ oda.Window, page oda.Page) oda.Page {
					return lag(page, map[int64][]byte{old.ID: old.Data}, old.Opdateringsdato)
				}))
				for range 3 {
					w.mustOnce()
				}
				applied := w.applied(old.ID)
				newest := applied[len(applied)-1]
				if string(newest.Data) != string(w.sim.Row("Sag", old.ID)) {
					t.Errorf("the topic ends with %s, want the newest version", newest.Data)
				}
				for _, c := range applied {
					if c.Seq > applied[0].Seq && string(c.Data) == string(old.Data) {
						t.Errorf("%s with seq %d has the older version", c.Action, c.Seq)
					}
				}
			})
		})
	}
}

// applied returns the changes of a row that a sink would not refuse, in their order.
func (w *world) applied(id int64) (list []schema.Change) {
	w.t.Helper()
	_, err := w.topics.ReadLog(w.t.Context(), "Sag", nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			if m, err := w.kafka.Decode(rec); err == nil && m.Change.ID == id {
				list = append(list, m.Change)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// A recreated topic is filled with the newest versions.
func TestANodeThatLagsFillsNoTopicWithOlderVersions(t *testing.T) {
	t.Parallel()
	eachTurn(t, func(t *testing.T, first bool) {
		w, old := changed(t)
		w.deleteTopic("Sag")
		w.liar().tell(inTurn(first, func(_ oda.Window, page oda.Page) oda.Page {
			return lag(page, map[int64][]byte{old.ID: old.Data}, old.Opdateringsdato)
		}))
		for range 3 {
			w.mustOnce()
		}
		if got := len(w.messages("Sag")); got != 10 {
			t.Errorf("recreated topic holds %d records, want 10", got)
		}
		w.checkTopic("Sag")
	})
}

// Of the versions that the rereads show, the last one may be an older one.
func TestTheNewestOfSeveralReadsIsPublished(t *testing.T) {
	t.Parallel()
	w, old := changed(t)
	gone := old
	gone.Seq, gone.Action, gone.Data, gone.Opdateringsdato = time.Now().UnixMicro(), schema.Delete, nil, ""
	w.publishBehind(gone) // so that the row is read again though it is as known
	w.workers, w.cfg.ScanEvery = 1, time.Nanosecond
	shown := 0
	w.liar().tell(func(_ oda.Window, _ oda.Lane, page oda.Page) (oda.Page, error) {
		if _, there := rowOf(page, old.ID); there {
			shown++
		}
		if shown == 1+maxRereads {
			page = lag(page, map[int64][]byte{old.ID: old.Data}, old.Opdateringsdato)
		}
		return page, nil
	})
	w.mustOnce()
	if shown < 1+maxRereads {
		t.Fatalf("the row was shown %d times, want a page and %d rereads", shown, maxRereads)
	}
	if got := len(w.changesOf(old.ID)); got != 4 {
		t.Errorf("the topic has %d changes of the row, want two, a delete, and the newest version again", got)
	}
	w.checkTopic("Sag")
}
