package dlq

import (
	"context"
	"errors"
	"time"

	"odastream/cache"
	"odastream/stream"
)

// StatePoller is the state of a dead letter of the poller, which is not in the table.
const StatePoller = "poller's"

// Entry is one dead letter.
type Entry struct {
	ID        string    `json:"letter"` // the dead letter's name; see ParseID
	Key       string    `json:"key"`
	Class     string    `json:"class"`
	SQLState  string    `json:"sqlstate,omitempty"`
	State     string    `json:"state"` // a cache.DeadLetterState, or StatePoller
	Seq       int64     `json:"seq,omitempty"`
	CacheSeq  int64     `json:"cache_seq,omitempty"` // seq that the cache holds for its key
	FailedAt  time.Time `json:"failed_at"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
	Error     string    `json:"error"`
}

// List returns the dead letters that filter selects, after it has stored which of them
// are superseded. If filter names a topic, the poller's dead letters are included,
// whose records were never on the topic; filter's States do not apply to these. If
// Kafka does not answer, List omits them and logs that.
func (q *Queue) List(ctx context.Context, filter cache.DeadLetterFilter) ([]Entry, error) {
	if _, err := q.Store.MarkSuperseded(ctx); err != nil {
		return nil, err
	}
	letters, err := q.Reader.DeadLetters(ctx, filter)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, l := range letters {
		list = append(list, entryOf(l))
	}
	if filter.Topic == "" {
		return list, nil
	}
	own, err := q.pollers(ctx, filter)
	if err != nil {
		q.Log.WarnContext(ctx, "the poller's own dead letters are not shown", "err", err)
	}
	return append(list, own...), ctx.Err()
}

func entryOf(l cache.DeadLetterRow) Entry {
	return Entry{
		ID: l.ID().String(), Key: l.Key, Class: l.Class, SQLState: l.SQLState, State: string(l.State), Seq: l.Seq, CacheSeq: l.CacheSeq,
		FailedAt: l.FailedAt.UTC(), ChangedAt: l.ChangedAt.UTC(), Error: l.Error,
	}
}

// storedEntry returns the entry of a dead letter that is only in the topic.
func storedEntry(at cache.TopicPartitionOffset, l stream.StoredDeadLetter) Entry {
	return Entry{
		ID: at.String(), Key: string(l.Record.Key), Class: string(l.Class), SQLState: l.SQLState, State: StatePoller,
		Seq: stream.EventSeq(l.Record), FailedAt: l.FailedAt.UTC(), Error: l.Err,
	}
}

// pollers lists the dead letters of a topic whose records were never on it.
func (q *Queue) pollers(ctx context.Context, filter cache.DeadLetterFilter) (list []Entry, err error) {
	err = q.Records.ReadDeadLetters(ctx, filter.Topic, func(l stream.StoredDeadLetter) error {
		if l.HasOffset || filter.Class != "" && filter.Class != string(l.Class) ||
			filter.Key != "" && filter.Key != string(l.Record.Key) || !l.FailedAt.Before(filter.Before) {
			return nil
		}
		list = append(list, storedEntry(recordAt(filter.Topic+suffix, l.Partition, l.Offset), l))
		return nil
	})
	if errors.Is(err, stream.ErrNoTopic) {
		return nil, nil
	}
	return list, err
}

// suffix is the end of a dead-letter topic's name.
const suffix = ".dlq"
