package dlq_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/dlq"
	"odastream/internal/test/stand"
	"odastream/stream"
)

func TestListStoresSupersededStatesAndShowsThePollersDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Add(t, 1, stand.ChangeOf(1, 10, `{}`), stream.ClassData, "22P05")
	r.Add(t, 2, stand.ChangeOf(2, 10, `{}`), stream.ClassData, "23514")
	r.Put(t, stand.ChangeOf(2, 11, `{}`))
	if err := r.Publisher.DeadLetter(t.Context(), stream.DeadLetter{
		Record: &kgo.Record{Topic: "parliament-sag", Key: []byte("Sag:3"), Value: []byte("{}")}, Group: "poller",
		Class: stream.ClassTooLarge, Err: "above the limit", Attempts: 1, FailedAt: stand.FailedAt,
	}); err != nil {
		t.Fatal(err)
	}
	for claim, c := range map[string]struct {
		filter cache.DeadLetterFilter
		want   []string
	}{
		"all": {cache.DeadLetterFilter{}, []string{"parliament-sag/0@1 open", "parliament-sag/0@2 superseded"}},
		"a topic's, with the poller's": {
			cache.DeadLetterFilter{Topic: "parliament-sag", Before: time.Now()},
			[]string{"parliament-sag/0@1 open", "parliament-sag/0@2 superseded", "parliament-sag.dlq/0@2 poller's"},
		},
		"one class": {cache.DeadLetterFilter{Topic: "parliament-sag", Class: "too_large", Before: time.Now()}, []string{"parliament-sag.dlq/0@2 poller's"}},
		"one key":   {cache.DeadLetterFilter{Topic: "parliament-sag", Key: "Sag:1", Before: time.Now()}, []string{"parliament-sag/0@1 open"}},
	} {
		list, err := r.queue.List(t.Context(), c.filter)
		var got []string
		for _, e := range list {
			got = append(got, e.ID+" "+e.State)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: List, %v (-want +got):\n%s", claim, err, diff)
		}
	}
	r.Want(t, stand.DeadLetterStates, "1 open, 2 superseded")
}

func TestShowFindsTheRecordOfADeadLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Add(t, 1, stand.ChangeOf(1, 10, `{"titel":"<b>"}`), stream.ClassData, "23514")
	r.Put(t, stand.ChangeOf(1, 9, `{}`))
	r.Add(t, 3, stand.ChangeOf(3, 10, `{}`), stream.ClassTooLarge, "")
	r.Exec(t, `UPDATE dead_letters SET key = 'Sag:33' WHERE "offset" = 3`)

	got, err := r.queue.Show(t.Context(), *at(1))
	if err != nil || got.Key != "Sag:1" || got.Seq != 10 || got.CacheSeq != 9 || got.Missing != "" || len(got.Headers) != 1 {
		t.Errorf("Show = %+v, %v, want the record with seq 10 over 9", got, err)
	}
	if got, err := r.queue.Show(t.Context(), *at(3)); err != nil || got.Missing == "" || got.Value != nil {
		t.Errorf("Show of one whose record is gone = %+v, %v, want why", got, err)
	}
	stored := *at(0)
	stored.Topic += ".dlq"
	if got, err := r.queue.Show(t.Context(), stored); err != nil || got.State != "see parliament-sag/0@1" {
		t.Errorf("Show by the dead letter's own place = %+v, %v, want where to look", got, err)
	}
	stored.Offset = 77
	for _, none := range []cache.TopicPartitionOffset{*at(77), stored} {
		if _, err := r.queue.Show(t.Context(), none); !errors.Is(err, dlq.ErrNone) {
			t.Errorf("Show(%s) = %v, want %v", none, err, dlq.ErrNone)
		}
	}
}

func TestDiscardSkipsDeadLettersWithAnotherState(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range int64(3) {
		r.Add(t, i, stand.ChangeOf(i, 10, `{}`), stream.ClassData, "22P05")
	}
	letters, err := r.queue.Selected(t.Context(), cache.DeadLetterFilter{})
	if err != nil || len(letters) != 3 {
		t.Fatalf("Selected = %d dead letters, %v, want 3", len(letters), err)
	}
	r.Exec(t, `UPDATE dead_letters SET state = 'retried' WHERE "offset" = 1`)
	var discarded, skipped []string
	err = r.queue.Discard(t.Context(), letters,
		func(e dlq.Entry) error { discarded = append(discarded, e.ID+" "+e.State); return nil },
		func(e dlq.Entry) error { skipped = append(skipped, e.ID); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"parliament-sag/0@0 discarded", "parliament-sag/0@2 discarded"}, discarded); diff != "" {
		t.Errorf("discarded (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"parliament-sag/0@1"}, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	r.Want(t, stand.DeadLetterStates, "0 discarded, 1 retried, 2 discarded")
	r.Want(t, `SELECT changed_at > failed_at + interval '1 hour' FROM dead_letters WHERE "offset" = 0`, "true")
}

func TestParseID(t *testing.T) {
	t.Parallel()
	if got, err := dlq.ParseID("parliament-sag/0@7"); got != *at(7) || err != nil {
		t.Errorf("ParseID = %v, %v, want %v", got, err, at(7))
	}
	for _, bad := range []string{"", "parliament-sag", "x/1", "/0@1", "x/-1@1", "x/1@-1", "x/9999999999@1"} {
		if got, err := dlq.ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) = %v, want an error", bad, got)
		}
	}
}
