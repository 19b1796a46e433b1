package stream_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"odastream/internal/test/example"
	"odastream/internal/test/kafkatest"
	"odastream/stream"
)

// A server gives many clients the changes after a place that each of them keeps.
func ExampleHub() {
	t := example.New()
	defer t.End()
	ctx := context.Background()
	brokers := kafkatest.Fake(t)
	publishVotes(brokers)

	cfg, entities := stream.Config{Brokers: brokers, TopicPrefix: "parliament-"}, []string{"Afstemning"}
	hub, err := stream.NewHub(cfg, entities, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		log.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	go func() { _ = hub.Run(running) }()
	for hub.Err() != nil { // for the example's sake: a server would answer 503
		time.Sleep(10 * time.Millisecond)
	}

	place, err := hub.Start(entities)
	if err != nil {
		log.Fatal(err)
	}
	for more := true; more; {
		page, err := hub.Changes(ctx, entities, place, 2, 30*time.Second)
		if err != nil {
			log.Fatal(err)
		}
		for _, change := range page.Changes {
			fmt.Println(change.Action, change.ID)
		}
		// A client sends the text back with its next request.
		if place, err = stream.ParseCursor(page.Next.String()); err != nil {
			log.Fatal(err)
		}
		more = page.More
	}
	// Output:
	// create 10530
	// update 10530
	// create 10532
}
