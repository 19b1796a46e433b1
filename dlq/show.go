package dlq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"odastream/cache"
	"odastream/stream"
)

// Record is a dead letter with its record.
type Record struct {
	Entry
	Mend string `json:"mend"` // what would make the record applicable
	// The fields below are absent if the topic no longer holds the record.
	Headers []Header        `json:"headers,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"` // as it is, or as a string if it is no JSON; absent: a tombstone
	Size    int             `json:"size,omitempty"`  // bytes of the whole value
	Cut     bool            `json:"cut,omitempty"`   // only the value's beginning was kept
	Missing string          `json:"missing,omitempty"`
}

// Header is a header of the record.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ErrNone is returned if there is no such dead letter.
var ErrNone = errors.New("there is no dead letter")

// Show finds a dead letter in the table and its record in the topic. A dead letter of
// the poller is only in the topic, and is named by its place there. Show returns
// ErrNone if there is no such dead letter. A record that cannot be read is no error:
// Missing says why.
func (q *Queue) Show(ctx context.Context, at cache.TopicPartitionOffset) (Record, error) {
	if topic, stored := strings.CutSuffix(at.Topic, suffix); stored {
		return q.showStored(ctx, topic, at)
	}
	letters, err := q.Reader.DeadLetters(ctx, cache.DeadLetterFilter{At: &at})
	if err != nil {
		return Record{}, err
	}
	if len(letters) == 0 {
		return Record{}, fmt.Errorf("%w %s", ErrNone, at)
	}
	r := Record{Entry: entryOf(letters[0]), Mend: mend(letters[0].Class, letters[0].SQLState, letters[0].Key)}
	l, ok, err := q.find(ctx, at.Topic, func(l stream.StoredDeadLetter) bool {
		return l.HasOffset && originOf(l) == at && letters[0].HasKey(l.Record.Key)
	})
	switch {
	case errors.Is(err, stream.ErrNoTopic), err == nil && !ok:
		r.Missing = gone(at.Topic)
	case err != nil:
		r.Missing = err.Error()
	default:
		r.add(l)
	}
	return r, ctx.Err()
}

// gone says that a topic's dead letters are no longer kept.
func gone(topic string) string {
	return "the topic " + topic + suffix + " does not hold the record any more"
}

// showStored finds a dead letter by its own place in the dead-letter topic.
func (q *Queue) showStored(ctx context.Context, topic string, at cache.TopicPartitionOffset) (Record, error) {
	l, ok, err := q.find(ctx, topic, func(l stream.StoredDeadLetter) bool { return l.Partition == at.Partition && l.Offset == at.Offset })
	if err != nil {
		return Record{}, err
	}
	if !ok {
		return Record{}, fmt.Errorf("%w %s", ErrNone, at)
	}
	r := Record{Entry: storedEntry(at, l)}
	if l.HasOffset {
		r.State = "see " + originOf(l).String()
	}
	r.add(l)
	return r, nil
}

// add adds what the topic holds.
func (r *Record) add(l stream.StoredDeadLetter) {
	r.Size, r.Cut = l.Size, l.Cut()
	r.Mend = mend(r.Class, r.SQLState, string(l.Record.Key))
	for _, h := range l.Record.Headers {
		r.Headers = append(r.Headers, Header{h.Key, string(h.Value)})
	}
	switch value := l.Record.Value; {
	case value == nil:
	case utf8.Valid(value) && json.Valid(value):
		r.Value = value
	default:
		r.Value, _ = json.Marshal(string(value)) // a string can always be encoded
	}
}

// mend says what would make a record applicable. A batch that is too large has no key.
func mend(class, sqlstate, key string) string {
	switch {
	case class == string(stream.ClassTooLarge) && key == "":
		return "see who else writes to the topic: the poller writes no such batch. None of its records was read, and what follows it is applied: odastream dlq discard. docs/operations.md says what to do if it holds keys of our rows"
	case class == string(stream.ClassTooLarge):
		return "raise max.message.bytes of the topic above the size of the record; the next scan publishes the row. Only its beginning was kept: a retry has nothing to apply"
	case class == string(stream.ClassDecode):
		return "see who else writes to the topic: the poller writes no such record. Nothing here can apply it: odastream dlq discard"
	case class == string(stream.ClassSchema):
		return "if a newer poller wrote it, upgrade the sink and odastream dlq retry; else see who writes to the topic, and discard it"
	case sqlstate == "22P05", sqlstate == "22021":
		return "Postgres cannot store a character of the row. Once the source mends the row, the newer version supersedes this one"
	case strings.HasPrefix(sqlstate, "23"):
		return "a constraint refuses the row, and odastream's own tables have none that would: drop the one that the error names, and odastream dlq retry"
	case sqlstate == "54000":
		return "the row is beyond a limit of Postgres; if the error names an index, drop it or set CACHE_GIN=off, and odastream dlq retry"
	}
	return "see the error; once its cause is gone, odastream dlq retry. A newer version from the source supersedes this one"
}
