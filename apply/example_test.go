package apply_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/rebuild"
	"odastream/schema"
	"odastream/stream"
)

// Once applies the topics to the cache, up to their ends. A sink that follows them
// calls Run instead.
func ExampleSink_Once() {
	url, drop := pgtest.Database() // a migrated database
	defer drop()
	brokers, stop := kafkatest.Brokers()
	defer stop()

	ctx, quiet, metrics := context.Background(), slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	kafka := stream.Config{Brokers: brokers, TopicPrefix: "parliament-", Partitions: 3}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
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
	topics := stream.NewTopics(admin, kafka, quiet)
	if err := topics.Ensure(ctx, []string{"Sag"}); err != nil {
		log.Fatal(err)
	}
	_, err = publisher.Publish(ctx, []schema.Change{{
		Entity: "Sag", ID: 7, Action: schema.Create, Seq: 1795445400123456, Timestamp: time.UnixMicro(1795445400123456),
		Origin: schema.OriginTail, Data: []byte(`{"id":7,"titel":"Om brød"}`),
	}})
	if err != nil {
		log.Fatal(err)
	}

	cfg := apply.Config{Group: "parliament-sink", BatchRows: 5000, BatchBytes: 16 << 20, Linger: 250 * time.Millisecond}
	store := cache.New(pool, cfg.Group, cache.Config{}, quiet)
	sink := apply.New(cfg, kafka, apply.Parts{
		Store:       store,
		DeadLetters: apply.DeadLetterWriter{Publisher: publisher, Topics: topics, Kafka: kafka},
		Rebuilder:   &rebuild.Rebuilder{Topics: topics, Kafka: kafka, Store: store},
	}, quiet, metrics)
	if err := sink.Once(ctx); err != nil {
		log.Fatal(err)
	}

	var title string
	if err := pool.QueryRow(ctx, "SELECT titel FROM parliament.sag WHERE id = 7").Scan(&title); err != nil {
		log.Fatal(err)
	}
	fmt.Println(title)
	// Output: Om brød
}
