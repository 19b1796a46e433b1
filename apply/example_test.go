package apply_test

import (
	"fmt"
	"log"
	"time"

	"odastream/apply"
	"odastream/internal/test/example"
	"odastream/internal/test/stand"
	"odastream/rebuild"
)

// Once applies the topics to the cache, up to their ends. A sink that follows them
// calls Run instead.
func ExampleSink_Once() {
	t := example.New()
	defer t.End()
	s := stand.Fake(t, "Sag") // a broker, and a migrated database
	s.Publish(t, stand.ChangeOf(7, 1795445400123456, `{"id":7,"titel":"Om brød"}`))

	cfg := apply.Config{Group: "parliament-sink", BatchRows: 5000, BatchBytes: 16 << 20, Linger: 250 * time.Millisecond}
	sink := apply.New(cfg, s.Kafka, apply.Parts{
		Store:       s.Store,
		DeadLetters: apply.DeadLetterWriter{Publisher: s.Publisher, Topics: s.Topics, Kafka: s.Kafka},
		Rebuilder:   &rebuild.Rebuilder{Topics: s.Topics, Kafka: s.Kafka, Store: s.Store},
	}, stand.Quiet(), nil)
	if err := sink.Once(t.Context()); err != nil {
		log.Fatal(err)
	}

	fmt.Println(s.Value(t, "SELECT titel FROM parliament.sag WHERE id = 7"))
	// Output: Om brød
}
