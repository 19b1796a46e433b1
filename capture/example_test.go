package capture_test

import (
	"fmt"
	"log"
	"time"

	"odastream/capture"
	"odastream/checkpoint"
	"odastream/internal/test/example"
	"odastream/internal/test/stand"
	"odastream/schema"
	"odastream/stream"
)

// Once publishes what the source has and the topic does not. A poller that follows
// the source calls Run instead.
func ExamplePoller_Once() {
	t := example.New()
	defer t.End()
	s := stand.Fake(t, "Sag") // a broker, and a migrated database
	source := t.Source("Sag", `{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}`)
	sag, err := schema.Lookup("Sag")
	if err != nil {
		log.Fatal(err)
	}

	cfg := capture.Config{Interval: 5 * time.Second, IntervalMax: 5 * time.Minute, Overlap: 10 * time.Minute, Lease: 15 * time.Second, ScanEvery: 24 * time.Hour}
	poller := capture.New(cfg, []schema.Entity{sag}, capture.Parts{
		Source: source, Prober: source, Publisher: s.Publisher, Topics: s.Topics, Store: checkpoint.New(s.Pool), TopicName: s.Kafka.Topic,
	}, stand.Quiet(), nil)
	if err := poller.Once(t.Context()); err != nil {
		log.Fatal(err)
	}

	for change, err := range stream.Changes(t.Context(), stream.Subscription{Config: s.Kafka, Entities: []string{"Sag"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(change.Action, change.Key(), string(change.Data))
		break
	}
	// Output:
	// snapshot Sag:7 {"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}
}
