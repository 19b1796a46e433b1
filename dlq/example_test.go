package dlq_test

import (
	"context"
	"fmt"
	"log"

	"odastream/cache"
	"odastream/dlq"
	"odastream/internal/test/example"
	"odastream/internal/test/stand"
	"odastream/stream"
)

// Retry applies the dead letters whose cause is gone.
func ExampleQueue_Retry() {
	t := example.New()
	defer t.End()
	d := stand.NewDeadLetters(t) // a broker, and a migrated database
	d.Add(t, 4, stand.ChangeOf(7, 1795445400123456, `{"id":7,"titel":"Om brød"}`), stream.ClassData, "23514")

	ctx := context.Background()
	queue := dlq.Queue{Store: d.Store, Reader: cache.NewReader(d.Pool), Records: d.Topics, Kafka: d.Kafka, Log: stand.Quiet()}
	letters, err := queue.Retryable(ctx, cache.DeadLetterFilter{Class: "data"}, false)
	if err != nil {
		log.Fatal(err)
	}
	_, err = queue.Retry(ctx, letters, dlq.Options{Each: func(r dlq.Result) error {
		fmt.Println(r.ID, r.Key, r.Outcome)
		return nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	// Output: parliament-sag/0@4 Sag:7 retried
}
