package dlq_test

import (
	"strings"
	"testing"

	"odastream/cache"
	"odastream/dlq"
	"odastream/internal/test/stand"
	"odastream/schema"
)

// rig is a stand with dead letters and their queue.
type rig struct {
	*stand.DeadLetters
	queue *dlq.Queue
}

func newRig(t *testing.T) *rig {
	t.Helper()
	d := stand.NewDeadLetters(t)
	return &rig{d, &dlq.Queue{Store: d.Store, Reader: cache.NewReader(d.Pool), Records: d.Topics, Kafka: d.Kafka, Log: stand.Quiet()}}
}

// retry retries what filter selects, and returns the results, a line each.
func (r *rig) retry(t *testing.T, filter cache.DeadLetterFilter, o dlq.Options) (dlq.Totals, string, error) {
	t.Helper()
	var lines []string
	o.Each = func(r dlq.Result) error {
		line := r.ID + " " + r.Key + " " + string(r.Outcome)
		if r.Error != "" {
			line += ": " + r.Error
		}
		lines = append(lines, line)
		return nil
	}
	letters, err := r.queue.Retryable(t.Context(), filter, o.DryRun)
	if err != nil {
		return dlq.Totals{}, "", err
	}
	totals, err := r.queue.Retry(t.Context(), letters, o)
	return totals, strings.Join(lines, "\n"), err
}

// at returns the name of a dead letter of Sag.
func at(offset int64) *cache.TopicPartitionOffset {
	return &cache.TopicPartitionOffset{TopicPartition: schema.TopicPartition{Topic: "parliament-sag"}, Offset: offset}
}

// has fails the test unless text contains each of the parts.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}
