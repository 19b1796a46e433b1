package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"time"

	"odastream/internal/test/example"
	"odastream/internal/test/kafkatest"
	"odastream/schema"
	"odastream/stream"
)

// A program reads the votes from the start, and goes on where it was when it is
// started next.
func ExampleChanges() {
	t := example.New()
	defer t.End()
	brokers := kafkatest.Fake(t)
	publishVotes(brokers)

	votes := stream.Subscription{
		Config:   stream.Config{Brokers: brokers, TopicPrefix: "parliament-"},
		Entities: []string{"Afstemning"},
		Group:    "newsroom",
	}
	for change, err := range stream.Changes(context.Background(), votes) {
		if err != nil {
			log.Fatal(err)
		}
		var vote struct{ Vedtaget bool }
		_ = json.Unmarshal(change.Data, &vote)
		fmt.Println(change.Action, change.ID, vote.Vedtaget, change.Changed)
		if change.ID == 10532 {
			break // for the example's sake: the loop has no end of its own
		}
	}
	// Output:
	// create 10530 true []
	// update 10530 false [vedtaget]
	// create 10532 true []
}

// publishVotes publishes what the poller would.
func publishVotes(brokers []string) {
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	cfg := stream.Config{Brokers: brokers, TopicPrefix: "parliament-", Partitions: 1}
	admin, err := stream.NewClient(cfg, quiet)
	if err != nil {
		log.Fatal(err)
	}
	defer admin.Close()
	if err := stream.NewTopics(admin, cfg, quiet).Ensure(ctx, []string{"Afstemning"}); err != nil {
		log.Fatal(err)
	}
	p, err := stream.NewPublisher(cfg, quiet, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	change := func(id, seq int64, action schema.Action, data string, changed ...string) schema.Change {
		return schema.Change{Entity: "Afstemning", ID: id, Action: action, Seq: seq, Timestamp: time.Now(), Origin: schema.OriginTail, Changed: changed, Data: []byte(data)}
	}
	for _, c := range []schema.Change{
		change(10530, 1, schema.Create, `{"id":10530,"vedtaget":true}`),
		change(10530, 2, schema.Update, `{"id":10530,"vedtaget":false}`, "vedtaget"),
		change(10532, 3, schema.Create, `{"id":10532,"vedtaget":true}`),
	} {
		if _, err := p.Publish(ctx, []schema.Change{c}); err != nil {
			log.Fatal(err)
		}
	}
}
