package capture

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// loaded returns a world with ten rows that are loaded.
func loaded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	for id := range int64(10) {
		w.put("Sag", id+1, "først", stampAt(atNoon()))
	}
	w.mustOnce()
	return w
}

// changed returns loaded with one row changed; old is the previous version of that row.
func changed(t *testing.T) (w *world, old schema.Change) {
	t.Helper()
	w = loaded(t)
	old = w.changes("Sag")[0]
	w.sim.Advance(time.Second)
	w.put("Sag", old.ID, "ændret", stampAt(w.sim.Now()))
	w.mustOnce()
	return w, old
}

func (w *world) exec(sql string) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql); err != nil {
		w.t.Fatal(err)
	}
}

// publishBehind publishes changes as a poller would that does not know its lease is lost.
func (w *world) publishBehind(changes ...schema.Change) {
	w.t.Helper()
	pub, err := stream.NewPublisher(w.kafka, w.logger(), prometheus.NewRegistry())
	if err != nil {
		w.t.Fatal(err)
	}
	defer pub.Close()
	if _, err := pub.Publish(w.t.Context(), changes); err != nil {
		w.t.Fatal(err)
	}
}

func TestALostDatabasePublishesNothingAgain(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.exec(`TRUNCATE poller_leases, poller_watermarks, poller_ledger, poller_positions, poller_scans`)
	w.mustOnce()
	if got := len(w.messages("Sag")); got != 10 {
		t.Errorf("topic holds %d records, want the 10 of before", got)
	}
	w.checkTopic("Sag")
}

func TestARestoredDatabaseContinuesAboveTheTopicsSeq(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.exec(`CREATE TABLE backup AS SELECT * FROM poller_ledger; CREATE TABLE backup_p AS SELECT * FROM poller_positions;
CREATE TABLE backup_w AS SELECT * FROM poller_watermarks`)
	w.sim.Advance(time.Second)
	w.put("Sag", 3, "ændret", stampAt(w.sim.Now()))
	w.put("Sag", 11, "ny", stampAt(w.sim.Now()))
	w.mustOnce()
	// The topic's highest seq is far ahead of the clock.
	far := time.Now().Add(time.Hour).UnixMicro()
	w.publishBehind(schema.Change{
		Entity: "Sag", ID: 5, Action: schema.Update, Seq: far, Timestamp: time.Now(),
		Origin: schema.OriginTail, Data: sagRow(5, "forkert", stampAt(w.sim.Now())),
	})
	w.exec(`TRUNCATE poller_ledger, poller_positions, poller_watermarks; INSERT INTO poller_ledger SELECT * FROM backup;
INSERT INTO poller_positions SELECT * FROM backup_p; INSERT INTO poller_watermarks SELECT * FROM backup_w`)
	w.cfg.ScanEvery = time.Nanosecond
	w.mustOnce()
	w.checkTopic("Sag")
	if got := len(w.messages("Sag")); got != 10+2+1+1 {
		t.Errorf("topic holds %d records, want 14: ten, two changes, one wrong, one right again", got)
	}
}

func TestARecreatedTopicIsFilledAgain(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.deleteTopic("Sag")
	w.mustOnce()
	w.checkTopic("Sag")
	if got := len(w.messages("Sag")); got != 10 {
		t.Errorf("recreated topic holds %d records, want 10", got)
	}
}

// A consumer of the deleted topic learns from the new one of a row that was deleted
// meanwhile. It fails without the state Lost.
func TestARecreatedTopicHasTheDeletesMadeMeanwhile(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.deleteTopic("Sag")
	w.vanish(3, 3)
	w.mustOnce()
	w.checkTopic("Sag")
	var actions []schema.Action
	for _, c := range w.changesOf(3) {
		actions = append(actions, c.Action)
	}
	if want := []schema.Action{schema.Delete}; !slices.Equal(actions, want) {
		t.Errorf("the new topic says %q of the row that is gone, want %q", actions, want)
	}
	if got := len(w.messages("Sag")); got != 9+2 {
		t.Errorf("recreated topic holds %d records, want 9, a delete and its tombstone", got)
	}
}

// If the source has hardly any rows by then, the deletes are held back.
func TestARecreatedTopicOfACollapsedSourceDeletesNothing(t *testing.T) {
	t.Parallel()
	w := many(t, 300)
	w.deleteTopic("Sag")
	w.vanish(1, 295)
	for range 3 {
		var held *HeldBackError
		if err := w.once(); !errors.As(err, &held) || !held.Collapsed || held.Rows != 295 {
			t.Fatalf("poller --once gives %v, want 295 deletes held back", err)
		}
	}
	if got := w.deletes(); got != 0 {
		t.Errorf("%d deletes, want none", got)
	}
}

// A poller that lost its lease may still publish. The next fold finds that an older
// version is the last one, and the newer version is published again. It fails
// without the repair.
func TestAZombiesLateRecordIsRepaired(t *testing.T) {
	t.Parallel()
	w, old := changed(t)
	w.publishBehind(old)
	w.mustOnce()
	w.checkLast(old.ID)
	w.mustOnce()
	if got := len(w.messages("Sag")); got != 10+1+1+1 {
		t.Errorf("topic holds %d records, want 13: repaired once", got)
	}
}

// Such a poller may publish after the next holder has folded the topic: the holder's
// next scan finds the record. It fails without the fold at the start of a scan.
func TestAZombiesRecordDuringASessionIsRepaired(t *testing.T) {
	t.Parallel()
	w, old := changed(t)
	var late sync.Once
	w.source = meanwhile{w.source, func() { late.Do(func() { w.publishBehind(old) }) }}
	w.cfg.ScanEvery = time.Nanosecond
	w.mustOnce()
	w.checkLast(old.ID)
	if got := len(w.messages("Sag")); got != 10+1+1+1 {
		t.Errorf("topic holds %d records, want 13: repaired once", got)
	}
}

// meanwhile is a source that calls a function with each page.
type meanwhile struct {
	source
	happens func()
}

func (m meanwhile) Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error) {
	m.happens()
	return m.source.Page(ctx, set, w, lane)
}

// checkLast fails unless the last record of the row is what the source has.
func (w *world) checkLast(id int64) {
	w.t.Helper()
	if got, want := w.lastOf(id).Data, w.sim.Row("Sag", id); string(got) != string(want) {
		w.t.Errorf("topic ends with %s, want %s", got, want)
	}
}

func TestAnotherNumberOfPartitionsStopsTheEntity(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.addPartitions("Sag", 1)
	if err := w.once(); err == nil {
		t.Fatal("poller --once reports no error though keys would go to other partitions")
	}
}

func (w *world) admin() *kadm.Client {
	w.t.Helper()
	cl, err := stream.NewClient(w.kafka, w.logger())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func (w *world) deleteTopic(entity string) {
	w.t.Helper()
	if _, err := w.admin().DeleteTopic(w.t.Context(), w.kafka.Topic(entity)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addPartitions(entity string, n int) {
	w.t.Helper()
	if _, err := w.admin().CreatePartitions(w.t.Context(), n, w.kafka.Topic(entity)); err != nil {
		w.t.Fatal(err)
	}
}
