package capture_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"odastream/capture"
	"odastream/checkpoint"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// Once publishes what the source has and the topic does not. A poller that follows
// the source calls Run instead.
func ExamplePoller_Once() {
	url, drop := pgtest.Database() // a migrated database
	defer drop()
	brokers, stop := kafkatest.Brokers()
	defer stop()
	parliament := odasim.New(odasim.Options{})
	if err := parliament.Put("Sag", []byte(`{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}`)); err != nil {
		log.Fatal(err)
	}
	source := httptest.NewServer(parliament)
	defer source.Close()

	ctx, quiet, metrics := context.Background(), slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	kafka := stream.Config{Brokers: brokers, TopicPrefix: "parliament-", Partitions: 3}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	client, err := oda.New(oda.Config{URL: source.URL + odasim.Root}, quiet, metrics)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	admin, err := stream.NewClient(kafka, quiet)
	if err != nil {
		log.Fatal(err)
	}
	defer admin.Close()
	publisher, err := stream.NewPublisher(kafka, quiet, metrics)
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()
	sag, err := schema.Lookup("Sag")
	if err != nil {
		log.Fatal(err)
	}

	poller := capture.New(capture.Config{
		Interval: 5 * time.Second, IntervalMax: 5 * time.Minute, Overlap: 10 * time.Minute, Lease: 15 * time.Second, ScanEvery: 24 * time.Hour,
	}, []schema.Entity{sag}, capture.Parts{
		Source: client, Prober: client, Publisher: publisher, Topics: stream.NewTopics(admin, kafka, quiet),
		Store: checkpoint.New(pool), TopicName: kafka.Topic,
	}, quiet, metrics)
	if err := poller.Once(ctx); err != nil {
		log.Fatal(err)
	}

	for change, err := range stream.Changes(ctx, stream.Subscription{Config: kafka, Entities: []string{"Sag"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(change.Action, change.Key(), string(change.Data))
		break
	}
	// Output:
	// snapshot Sag:7 {"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}
}
