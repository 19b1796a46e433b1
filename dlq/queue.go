// Package dlq lists, shows, retries and discards the records that could not be applied.
//
// Invariant: it changes only the cache and the table of dead letters. A record never
// replaces a newer version of its key (Invariant 3), no offset moves, no topic is
// written, and an error of the environment is no fault of a record (Invariant 6).
//
// It knows nothing of SQL, of the source, and of who calls it.
package dlq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

// Queue is the dead letters of a sink: their table, and the topics that hold their
// records. The zero value cannot be used.
type Queue struct {
	Store   *cache.Store
	Reader  *cache.Reader
	Records records // a *stream.Topics
	Kafka   stream.Config
	Log     *slog.Logger
}

// records calls fn with the dead letters of TOPIC.dlq. stream.ErrNoTopic means that
// there is no such topic.
type records interface {
	ReadDeadLetters(ctx context.Context, topic string, fn func(stream.StoredDeadLetter) error) error
}

// errFound ends reading early.
var errFound = errors.New("found")

// find reads the dead letters of a topic until it finds the one that matches.
func (q *Queue) find(ctx context.Context, topic string, is func(stream.StoredDeadLetter) bool) (found stream.StoredDeadLetter, ok bool, err error) {
	err = q.Records.ReadDeadLetters(ctx, topic, func(l stream.StoredDeadLetter) error {
		if !is(l) {
			return nil
		}
		found, ok = l, true
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, ok, err
}

// originOf returns the record that a stored dead letter came from.
func originOf(l stream.StoredDeadLetter) cache.TopicPartitionOffset {
	return recordAt(l.Record.Topic, l.Record.Partition, l.Record.Offset)
}

func recordAt(topic string, partition int32, offset int64) cache.TopicPartitionOffset {
	return cache.TopicPartitionOffset{TopicPartition: schema.TopicPartition{Topic: topic, Partition: partition}, Offset: offset}
}

// ParseID parses the name of a dead letter: TOPIC/PARTITION@OFFSET of its record, or of
// the dead letter itself if the record was never on a topic.
func ParseID(text string) (cache.TopicPartitionOffset, error) {
	topic, rest, _ := strings.Cut(text, "/")
	first, second, _ := strings.Cut(rest, "@")
	partition, err := strconv.ParseInt(first, 10, 32)
	offset, err2 := strconv.ParseInt(second, 10, 64)
	if topic == "" || err != nil || err2 != nil || partition < 0 || offset < 0 {
		return cache.TopicPartitionOffset{}, fmt.Errorf("%q is no dead letter, want TOPIC/PARTITION@OFFSET", text)
	}
	return recordAt(topic, int32(partition), offset), nil
}
