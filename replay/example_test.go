package replay_test

import (
	"context"
	"fmt"
	"log"

	"odastream/cache"
	"odastream/internal/test/example"
	"odastream/internal/test/stand"
	"odastream/replay"
)

// A replay applies a topic's records to a cache that has lost them.
func ExampleReplayer_Run() {
	t := example.New()
	defer t.End()
	s := stand.Fake(t, "Sag") // a broker, and a migrated database
	s.Publish(t, stand.ChangeOf(7, 10, `{"id":7,"titel":"Om brød"}`), stand.ChangeOf(7, 11, `{"id":7,"titel":"Om smør"}`))

	ctx := context.Background()
	replayer := replay.Replayer{Client: s.Client, Topics: s.Topics, Kafka: s.Kafka, Store: s.Store, Reader: cache.NewReader(s.Pool)}
	plan, err := replayer.Plan(ctx, "Sag", replay.AllRows(), replay.Start(), replay.AllPartitions)
	if err != nil {
		log.Fatal(err)
	}
	report, err := replayer.Run(ctx, plan, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("records read:", report.Read)
	fmt.Println("rows inserted:", report.Inserted)
	// Output:
	// records read: 2
	// rows inserted: 1
}
