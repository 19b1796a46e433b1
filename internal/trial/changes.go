package trial

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/console"
	"odastream/schema"
	"odastream/stream"
)

// showChanges prints a line for each change that comes.
func (t *trial) showChanges(ctx context.Context) error {
	for {
		records, err := t.reader.Next(ctx)
		if err != nil {
			return err
		}
		for _, c := range news(records) {
			t.screen.Println(console.Headline(c))
		}
	}
}

// news are the changes among records, in the order of their time. The rows of a
// first load are none, tombstones only repeat a delete, and what cannot be read
// is the sink's to dead-letter.
func news(records []*kgo.Record) []schema.Change {
	var changes []schema.Change
	for _, r := range records {
		m, err := stream.Decode(r)
		if err != nil || m.Tombstone || m.Change.Origin == schema.OriginSnapshot {
			continue
		}
		changes = append(changes, m.Change)
	}
	slices.SortStableFunc(changes, func(a, b schema.Change) int { return a.Timestamp.Compare(b.Timestamp) })
	return changes
}
