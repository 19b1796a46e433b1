package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"odastream/checkpoint"
	"odastream/internal/test/example"
	"odastream/schema"
)

// A poller takes the lease of an entity, and saves what it has published. The next
// one goes on from there, but not while the lease runs.
func Example() {
	t := example.New()
	defer t.End()
	ctx, store := context.Background(), checkpoint.New(t.Pool()) // of a migrated database

	lease, err := store.Acquire(ctx, "Sag", "poller-1", 15*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	row := []byte(`{"id":7,"titel":"Om brød"}`)
	hash, fields, err := schema.Fingerprint(row)
	if err != nil {
		log.Fatal(err)
	}
	err = store.Save(ctx, lease, checkpoint.Progress{
		Entries:   []checkpoint.Entry{{ID: 7, Seq: 1795445400123456, Hash: hash, Fields: fields, Checksum: schema.ChecksumOf(row), New: true}},
		Watermark: time.Date(2026, time.November, 23, 15, 10, 0, 0, time.UTC),
		WallClock: "2026-11-23T16:10:00",
	})
	if err != nil {
		log.Fatal(err)
	}

	saved, err := store.Load(ctx, "Sag")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(saved.Seq, saved.Watermark.UTC())

	_, err = store.Acquire(ctx, "Sag", "poller-2", 15*time.Second)
	if held, ok := errors.AsType[*checkpoint.LeaseHeldError](err); ok {
		fmt.Println(held.Entity, "is held by", held.Holder)
	}
	// Output:
	// 1795445400123456 2026-11-23 15:10:00 +0000 UTC
	// Sag is held by poller-1
}
