package stream_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"odastream/internal/test/example"
	"odastream/internal/test/kafkatest"
	"odastream/schema"
	"odastream/stream"
)

// Publish returns once the broker has acknowledged every record.
func ExamplePublisher_Publish() {
	t := example.New()
	defer t.End()
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	kafka := stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: "parliament-", Partitions: 1}

	admin, err := stream.NewClient(kafka, quiet)
	if err != nil {
		log.Fatal(err)
	}
	defer admin.Close()
	if err := stream.NewTopics(admin, kafka, quiet).Ensure(ctx, []string{"Sag"}); err != nil {
		log.Fatal(err)
	}
	publisher, err := stream.NewPublisher(kafka, quiet, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()

	acks, err := publisher.Publish(ctx, []schema.Change{{
		Entity: "Sag", ID: 7, Action: schema.Create, Seq: 1795445400123456, Timestamp: time.UnixMicro(1795445400123456),
		Origin: schema.OriginTail, Data: []byte(`{"id":7,"titel":"Om brød"}`),
	}})
	if err != nil {
		log.Fatal(err)
	}
	for _, ack := range acks {
		fmt.Println(kafka.Topic("Sag"), "partition", ack.Partition, "offset", ack.Offset)
	}
	// Output: parliament-sag partition 0 offset 0
}
