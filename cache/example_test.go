package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"odastream/cache"
	"odastream/internal/test/example"
	"odastream/schema"
)

// Apply writes rows and the offset behind them in one transaction. A batch that was
// applied already is refused, so a record never counts twice.
func ExampleStore_Apply() {
	t := example.New()
	defer t.End()
	ctx, pool := context.Background(), t.Pool() // to a migrated database
	store := cache.New(pool, "parliament-sink", cache.Config{}, slog.New(slog.DiscardHandler))

	partition := schema.TopicPartition{Topic: "parliament-sag", Partition: 0}
	change := schema.Change{
		Entity: "Sag", ID: 7, Action: schema.Create, Seq: 1795445400123456, Timestamp: time.UnixMicro(1795445400123456),
		Origin: schema.OriginTail, Data: []byte(`{"id":7,"titel":"Om brød"}`),
	}
	batch := cache.Batch{
		Records: []cache.Record{{TopicPartition: partition, Offset: 0, Change: change}},
		Moves:   []cache.Move{{TopicPartition: partition, From: schema.NoOffset, To: 1}},
	}
	result, err := store.Apply(ctx, batch)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("inserted:", result.Inserted)

	_, err = store.Apply(ctx, batch)
	fmt.Println("offset conflict:", errors.Is(err, cache.ErrOffsetConflict))

	var title string
	if err := pool.QueryRow(ctx, "SELECT titel FROM parliament.sag WHERE id = 7").Scan(&title); err != nil {
		log.Fatal(err)
	}
	fmt.Println(title)
	// Output:
	// inserted: 1
	// offset conflict: true
	// Om brød
}
