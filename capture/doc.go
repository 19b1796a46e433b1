// Package capture is the poller: it finds every change at the source and
// publishes it, in order, once.
//
// The way of a row: a tail pass or a scan reads a page (tail.go, scan.go); the
// entity's one writer holds its rows against the ledger, publishes what differs,
// and saves what was acknowledged together with how far the reading has come
// (writer.go). Before an entity is worked on, its topic is read up to its end and
// folded into the ledger (fold.go), all under the entity's lease (session.go).
//
// It keeps one invariant: ledger and watermark pass a row only once its record is
// acknowledged (invariant 1), so that whatever ends the process, the next one
// reads again what was not saved and finds in the topic what was.
//
// It knows nothing of HTTP, of SQL, or of Kafka's protocol: it works through the
// small interfaces below.
package capture

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// source is what is asked of the source; *oda.Client is one.
type source interface {
	Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error)
	Extent(ctx context.Context, set string, lane oda.Lane) (oda.Extent, error)
}

// publisher writes to topics; *stream.Publisher is one.
type publisher interface {
	Publish(ctx context.Context, changes []schema.Change) ([]stream.Ack, error)
	DeadLetter(ctx context.Context, letters ...stream.DeadLetter) error
	Expect(entity string, partitions int)
}

// topics makes topics and reads them back; *stream.Topics is one.
type topics interface {
	Ensure(ctx context.Context, entities []string) error
	State(ctx context.Context, entity string) (stream.TopicState, error)
	ReadLog(ctx context.Context, entity string, from []int64, fn func([]*kgo.Record) error) ([]int64, error)
}

// store keeps checkpoints; *checkpoint.Store is one.
type store interface {
	leases
	Load(ctx context.Context, entity string) (checkpoint.Checkpoint, error)
	Digests(ctx context.Context, entity string, windows []schema.IDRange) ([]checkpoint.Digest, error)
	Marks(ctx context.Context, entity string, ids []int64, windows []schema.IDRange) (map[int64]checkpoint.Mark, error)
	Entries(ctx context.Context, entity string, ids []int64, windows []schema.IDRange) (map[int64]checkpoint.Entry, error)
	DirtyIDs(ctx context.Context, entity string, after int64, limit int) ([]int64, error)
	Save(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error
	Fold(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error
	StartScan(ctx context.Context, lease checkpoint.Lease, id int64, began time.Time, ranges []checkpoint.ScanRange) error
	Vanished(ctx context.Context, entity string) ([]checkpoint.Missing, error)
	Count(ctx context.Context, entity string) (int64, error)
	LateRows(ctx context.Context, entity string, days int) ([]checkpoint.Lateness, error)
	Forget(ctx context.Context, lease checkpoint.Lease) error
}

// leases is the part of the store that says who works on an entity.
type leases interface {
	Announce(ctx context.Context, holder string, ttl time.Duration) ([]string, error)
	Withdraw(ctx context.Context, holder string) error
	Acquire(ctx context.Context, entity, holder string, ttl time.Duration) (checkpoint.Lease, error)
	Renew(ctx context.Context, lease checkpoint.Lease, ttl time.Duration) (checkpoint.Lease, error)
	Release(ctx context.Context, lease checkpoint.Lease) error
}
