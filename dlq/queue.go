// Package dlq lists the records that could not be applied, shows them, applies them
// again, and gives them up.
//
// It keeps one invariant: only the cache and the table of dead letters change. A
// record never replaces a newer version of its key (Invariant 3), no offset moves
// and no topic is written, and an error of the environment is no record's fault
// (Invariant 6).
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
// records. The zero value is of no use.
type Queue struct {
	Store   *cache.Store
	Reader  *cache.Reader
	Records records // a *stream.Topics
	Log     *slog.Logger
}

// records gives fn the dead letters that TOPIC.dlq holds; stream.ErrNoTopic: there
// is no such topic.
type records interface {
	ReadDeadLetters(ctx context.Context, topic string, fn func(stream.StoredLetter) error) error
}

// errFound ends a reading early.
var errFound = errors.New("found")

// find reads the dead letters of a topic until one is the one that is looked for.
func (q *Queue) find(ctx context.Context, topic string, is func(stream.StoredLetter) bool) (found stream.StoredLetter, ok bool, err error) {
	err = q.Records.ReadDeadLetters(ctx, topic, func(l stream.StoredLetter) error {
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

// originOf is the record that a stored dead letter is of.
func originOf(l stream.StoredLetter) cache.TopicPartitionOffset {
	return recordAt(l.Record.Topic, l.Record.Partition, l.Record.Offset)
}

func recordAt(topic string, partition int32, offset int64) cache.TopicPartitionOffset {
	return cache.TopicPartitionOffset{TopicPartition: schema.TopicPartition{Topic: topic, Partition: partition}, Offset: offset}
}

// ParseID reads the name of a dead letter: TOPIC/PARTITION@OFFSET of its record, or
// where the record never was on a topic, of the dead letter itself.
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
