package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// StoredDeadLetter is a dead letter as its topic holds it.
type StoredDeadLetter struct {
	// DeadLetter is what was written: Record has the original's topic, key, value
	// and headers, and partition and offset where HasOffset says so.
	DeadLetter
	Partition int32 // in the dead-letter topic
	Offset    int64 // in the dead-letter topic
	Size      int   // bytes of the original value
}

// Cut says whether only the beginning of the original value was kept.
func (l StoredDeadLetter) Cut() bool { return l.Size > len(l.Record.Value) }

// ReadDeadLetters calls fn with every dead letter of a topic (the originals' name,
// without .dlq), from the oldest that is kept up to the topic's end at the time of the
// call, those of one partition in order. A record that is not a dead letter has no
// Class, and an Err that says so. An error of fn ends it and is returned wrapped. Other
// errors are ErrNoTopic and those of the broker, which may be temporary.
func (t *Topics) ReadDeadLetters(ctx context.Context, topic string, fn func(StoredDeadLetter) error) error {
	_, err := t.readTopic(ctx, deadLetterName(topic), nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			if err := fn(storedDeadLetter(topic, rec)); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// storedDeadLetter is the inverse of DeadLetter.record. Of several dlq headers of one name
// the last counts: the original may have some.
func storedDeadLetter(topic string, rec *kgo.Record) StoredDeadLetter {
	l := StoredDeadLetter{Partition: rec.Partition, Offset: rec.Offset, Size: len(rec.Value)}
	l.Record = &kgo.Record{Topic: topic, Key: rec.Key, Value: rec.Value}
	own := map[string]string{}
	for _, h := range rec.Headers {
		if strings.HasPrefix(h.Key, deadHeaderPrefix) {
			own[h.Key] = string(h.Value)
			continue
		}
		l.Record.Headers = append(l.Record.Headers, h)
	}
	l.Class, l.SQLState, l.Group, l.Err = Class(own[HeaderDeadClass]), own[HeaderDeadSQLState], own[HeaderDeadGroup], own[HeaderDeadError]
	l.Attempts, _ = strconv.Atoi(own[HeaderDeadAttempts])
	l.FailedAt, _ = time.Parse(time.RFC3339, own[HeaderDeadFailedAt])
	l.Record.Timestamp, _ = time.Parse(time.RFC3339, own[HeaderDeadTimestamp])
	if size, err := strconv.Atoi(own[HeaderDeadSize]); err == nil {
		l.Size = size
	}
	if l.Class == "" {
		l.Err = fmt.Sprintf("not a dead letter: it has no header %s", HeaderDeadClass)
	}
	partition, perr := strconv.ParseInt(own[HeaderDeadPartition], 10, 32)
	offset, oerr := strconv.ParseInt(own[HeaderDeadOffset], 10, 64)
	if l.HasOffset = perr == nil && oerr == nil; l.HasOffset {
		l.Record.Partition, l.Record.Offset = int32(partition), offset
	}
	return l
}

// deadHeaderPrefix begins the names of the headers that a dead letter adds.
const deadHeaderPrefix = "dlq."

// EventSeq returns the seq in a record's ce_id, or 0 if it has none. It works for a
// record whose value cannot be read, too.
func EventSeq(rec *kgo.Record) int64 {
	event, _ := header(rec, headerID)
	i := strings.LastIndexByte(event, ':')
	if i < 0 || event[:i] != string(rec.Key) {
		return 0
	}
	seq, err := strconv.ParseInt(event[i+1:], 10, 64)
	if err != nil || seq < 0 {
		return 0
	}
	return seq
}
