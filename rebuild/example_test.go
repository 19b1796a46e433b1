package rebuild_test

import (
	"context"
	"fmt"
	"log"

	"odastream/internal/test/example"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/rebuild"
)

// Rebuild brings back a row that the cache has lost.
func ExampleRebuilder_Rebuild() {
	t := example.New()
	defer t.End()
	c := stand.NewCopy(t, kafkatest.Fake(t), "Sag") // a broker, a migrated database, and a sink
	c.Load(t, 3, 10)
	c.Exec(t, "DELETE FROM parliamentary_data WHERE entity_id = 2")

	rebuilder := rebuild.Rebuilder{Topics: c.Topics, Kafka: c.Kafka, Store: c.Store}
	report, err := rebuilder.Rebuild(context.Background(), "Sag", false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("rows of the topic:", report.InTopic)
	fmt.Println("missing in the cache:", report.Missing.IDs)
	fmt.Println("mended:", report.Mended)
	// Output:
	// rows of the topic: 3
	// missing in the cache: [2]
	// mended: 1
}
