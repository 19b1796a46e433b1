package trial

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/capture"
	"odastream/schema"
)

func TestLoadIsMeasuredAndShown(t *testing.T) {
	t.Parallel()
	sink := apply.Status{Topics: []apply.TopicStatus{
		{Partitions: []apply.PartitionStatus{{Next: 1000}, {Next: 500}}}, {Partitions: []apply.PartitionStatus{{Next: 1}}},
	}}
	for claim, c := range map[string]struct {
		poller  capture.Status
		earlier earlier
		spent   time.Duration
		want    string
	}{
		"nothing known yet": {
			statuses("waiting", "waiting"), earlier{}, 0, "first load: 0/2 entities, 1,501 in Postgres",
		},
		"under way": {
			capture.Status{Entities: []capture.EntityStatus{
				{Entity: "Sag", State: "loading", Rows: 1000, Expected: 99000},
				{Entity: "Periode", State: "following", Rows: 162, Expected: 160},
			}},
			earlier{},
			time.Second, "first load: 1/2 entities, 1,162 of 99,162 rows read, 1,501 in Postgres",
		},
		"a long one says how long": {
			capture.Status{Entities: []capture.EntityStatus{{State: "loading", Rows: 1000, Expected: 101000}}},
			earlier{},
			10 * time.Second, "first load: 0/1 entities, 1,000 of 101,000 rows read, 1,501 in Postgres, about 17 minutes to go",
		},
		"what fails is named": {
			capture.Status{Entities: []capture.EntityStatus{{Entity: "Fil", State: "failed"}, {Entity: "Sag", State: "absent"}}},
			earlier{},
			0, "first load: 1/2 entities, 1,501 in Postgres, backing off: Fil",
		},
		"a later start catches up": {
			statuses("scanning", "folding"), earlier{Loaded: 2}, 0, "catching up: 1/2 entities, 1,501 in Postgres",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := measure(c.poller, sink).text(c.earlier, c.spent); got != c.want {
				t.Errorf("text = %q\nwant   %q", got, c.want)
			}
		})
	}
}

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{90 * time.Second: "2 minutes", 99 * time.Minute: "99 minutes", 11*time.Hour + 40*time.Minute: "12 hours"} {
		if got := roughly(d); got != want {
			t.Errorf("roughly(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestNewsLeavesOutTheFirstLoadAndTombstones(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	records := []*kgo.Record{
		record(schema.Change{ID: 2, Action: schema.Update, Origin: schema.OriginTail, Timestamp: at.Add(2 * time.Second)}),
		record(schema.Change{ID: 1, Action: schema.Snapshot, Origin: schema.OriginSnapshot, Timestamp: at}),
		record(schema.Change{ID: 3, Action: schema.Snapshot, Origin: schema.OriginTail, Timestamp: at.Add(time.Second)}),
		record(schema.Change{ID: 4, Action: schema.Delete, Origin: schema.OriginScan, Timestamp: at.Add(3 * time.Second)}),
		{Key: []byte("Sag:4"), Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("Sag:4:9")}}},
		{Key: []byte("Sag:5"), Value: []byte("no change")},
	}
	var got []int64
	for _, c := range news(records) {
		got = append(got, c.ID)
	}
	if diff := cmp.Diff([]int64{3, 2, 4}, got); diff != "" {
		t.Errorf("news, by time (-want +got):\n%s", diff)
	}
}

func record(c schema.Change) *kgo.Record {
	c.Entity, c.Seq, c.Opdateringsdato = "Sag", 9, "2026-11-23T12:00:00"
	if c.Action != schema.Delete {
		c.Data = []byte(`{"id":1}`)
	}
	return &kgo.Record{Key: []byte(c.Key()), Value: c.AppendJSON(nil)}
}

func statuses(states ...capture.State) (s capture.Status) {
	for _, state := range states {
		s.Entities = append(s.Entities, capture.EntityStatus{State: state, Expected: -1})
	}
	return s
}
