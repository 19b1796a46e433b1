package stand

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

// DeadLetters is a stand on a fake broker with the topic of Sag, which has one partition
// and dead letters.
type DeadLetters struct {
	*Stand
}

// NewDeadLetters returns a stand without dead letters.
func NewDeadLetters(t testing.TB) *DeadLetters {
	t.Helper()
	return &DeadLetters{Stand: Fake(t, "Sag")}
}

// FailedAt is when the dead letters failed.
var FailedAt = time.Now().Add(-73 * time.Hour).Truncate(time.Microsecond)

// ChangeOf returns an update of a Sag.
func ChangeOf(id, seq int64, data string) schema.Change {
	return schema.Change{Entity: "Sag", ID: id, Action: schema.Update, Seq: seq, Timestamp: time.UnixMicro(seq), Origin: schema.OriginTail, Data: []byte(data)}
}

// Add dead-letters a change as the sink does: to the topic, then to the table.
func (d *DeadLetters) Add(t testing.TB, offset int64, c schema.Change, class stream.Class, sqlstate string) {
	t.Helper()
	d.AddRecord(t, offset, &kgo.Record{
		Topic: "parliament-sag", Offset: offset, Key: []byte(schema.Key(c.Entity, c.ID)), Value: c.AppendJSON(nil),
		Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(c.EventID())}},
	}, class, sqlstate)
}

// AddRecord dead-letters a record as the sink does.
func (d *DeadLetters) AddRecord(t testing.TB, offset int64, rec *kgo.Record, class stream.Class, sqlstate string) {
	t.Helper()
	err := d.Publisher.DeadLetter(t.Context(), stream.DeadLetter{
		Record: rec, HasOffset: true, Group: d.Group, Class: class, Err: "apply: refused", SQLState: sqlstate, Attempts: 1, FailedAt: FailedAt,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Apply(t, cache.Batch{DeadLetters: []cache.DeadLetter{{
		TopicPartition: schema.TopicPartition{Topic: rec.Topic}, Offset: offset, Key: string(rec.Key), Class: string(class), SQLState: sqlstate,
		Error: "apply: refused", FailedAt: FailedAt, Seq: stream.EventSeq(rec),
	}}})
	if _, err := d.Pool.Exec(t.Context(), `UPDATE dead_letters SET changed_at = failed_at WHERE "offset" = $1`, offset); err != nil {
		t.Fatal(err)
	}
}

// Put puts a row into the cache.
func (d *DeadLetters) Put(t testing.TB, c schema.Change) {
	t.Helper()
	d.Apply(t, cache.Batch{Records: []cache.Record{{TopicPartition: schema.TopicPartition{Topic: "parliament-sag"}, Change: c}}})
}
