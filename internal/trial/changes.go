package trial

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/console"
	"odastream/schema"
	"odastream/stream"
)

// showChanges prints a line for each change.
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

// news returns the changes among records, sorted by time. It leaves out the rows of a
// first load, tombstones, and records that cannot be decoded, which the sink
// dead-letters.
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
