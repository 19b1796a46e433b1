package stand

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/checker"
	"odastream/stream"
)

// Log returns all records of the topics of entities, for a judgement. The test fails
// unless there are as many as were acknowledged.
func Log(t testing.TB, topics *stream.Topics, kafka stream.Config, acknowledged int, entities ...string) *checker.Log {
	t.Helper()
	var all []checker.Record
	for _, entity := range entities {
		_, err := topics.ReadLog(t.Context(), entity, nil, func(records []*kgo.Record) error {
			for _, rec := range records {
				m, err := kafka.Decode(rec)
				at := checker.Place{Partition: checker.Partition{Topic: rec.Topic, Number: rec.Partition}, Offset: rec.Offset}
				all = append(all, checker.RecordOf(at, m.Change, err))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != acknowledged {
		t.Fatalf("%d records on the topics, %d were acknowledged", len(all), acknowledged)
	}
	return checker.NewLog(all)
}
