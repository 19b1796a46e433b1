package dlq

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"odastream/cache"
	"odastream/stream"
)

// Outcome is the result of retrying a dead letter.
type Outcome string

// The outcomes. After the last three the dead letter stays open.
const (
	Retried      Outcome = "retried"          // applied
	Superseded   Outcome = "superseded"       // the cache holds this version of its key, or a newer one
	WouldRetried Outcome = "would be retried" // in a dry run
	Failed       Outcome = "failed"           // it failed again
	Cut          Outcome = "cut"              // only part of the record was kept
	Missing      Outcome = "missing"          // the topic no longer holds the record
)

// staysOpen reports whether the dead letter stays open.
func (o Outcome) staysOpen() bool { return o == Failed || o == Cut || o == Missing }

// Result is the outcome for one dead letter.
type Result struct {
	ID       string  `json:"letter"`
	Key      string  `json:"key"`
	Outcome  Outcome `json:"outcome"`
	SQLState string  `json:"sqlstate,omitempty"`
	Error    string  `json:"error,omitempty"`
}

// Options say how dead letters are retried. The zero value retries without limits.
type Options struct {
	DryRun bool
	Canary int                // end with ErrCanary if any of the first Canary dead letters stays open
	Rate   float64            // records a second; 0: no limit
	Each   func(Result) error // called with each result; its error ends the retry
}

// Totals counts the dead letters by outcome.
type Totals struct {
	Retried    int // in a dry run: would be retried
	Superseded int
	Open       int // still open
}

// ErrCanary ends a retry whose first dead letters fail.
var ErrCanary = errors.New("one of the first could not be applied: the others were left alone")

// Retryable returns the open dead letters that filter selects. Unless it is a dry run
// it first stores which of them are superseded. If filter names one dead letter, it is
// an error if there is none (ErrNone) or if it is not open.
func (q *Queue) Retryable(ctx context.Context, filter cache.DeadLetterFilter, dry bool) ([]cache.DeadLetterRow, error) {
	if !dry {
		if _, err := q.Store.MarkSuperseded(ctx); err != nil {
			return nil, err
		}
	}
	filter.States = []cache.DeadLetterState{cache.DeadLetterOpen}
	if filter.At == nil {
		return q.Reader.DeadLetters(ctx, filter)
	}
	filter.States = nil
	letters, err := q.Reader.DeadLetters(ctx, filter)
	switch {
	case err != nil:
		return nil, err
	case len(letters) == 0:
		return nil, fmt.Errorf("%w %s with this class, key and age", ErrNone, filter.At)
	case letters[0].State != cache.DeadLetterOpen:
		return nil, fmt.Errorf("dead letter %s is %s: only an open one can be retried", filter.At, letters[0].State)
	}
	return letters, nil
}

// Retry applies dead letters from Retryable to the cache as the sink would. It ends with the
// first error of the environment and returns it (Invariant 6); earlier results stay.
func (q *Queue) Retry(ctx context.Context, letters []cache.DeadLetterRow, o Options) (Totals, error) {
	limit := rate.Limit(o.Rate)
	if o.Rate == 0 {
		limit = rate.Inf
	}
	r := retry{queue: q, options: o, limiter: rate.NewLimiter(limit, 1), count: map[Outcome]int{}}
	for len(letters) > 0 {
		n := 1
		for n < len(letters) && letters[n].Topic == letters[0].Topic {
			n++
		}
		if err := r.topic(ctx, letters[:n]); err != nil {
			return r.totals(), err
		}
		letters = letters[n:]
	}
	return r.totals(), nil
}

// retry is one call of Retry.
type retry struct {
	queue   *Queue
	options Options
	limiter *rate.Limiter
	count   map[Outcome]int
	done    int
}

func (r *retry) totals() Totals {
	return Totals{
		Retried: r.count[Retried] + r.count[WouldRetried], Superseded: r.count[Superseded],
		Open: r.count[Failed] + r.count[Cut] + r.count[Missing],
	}
}

// topic retries the dead letters of one topic while it reads their records, so that only a
// few are in memory.
func (r *retry) topic(ctx context.Context, letters []cache.DeadLetterRow) error {
	left := map[cache.TopicPartitionOffset]cache.DeadLetterRow{}
	for _, l := range letters {
		left[l.ID()] = l
	}
	err := r.queue.Records.ReadDeadLetters(ctx, letters[0].Topic, func(found stream.StoredDeadLetter) error {
		l, wanted := left[originOf(found)]
		if !found.HasOffset || !wanted || !l.HasKey(found.Record.Key) {
			return nil
		}
		delete(left, l.ID()) // A dead letter can occur more than once.
		return r.one(ctx, l, found)
	})
	if err != nil && !errors.Is(err, stream.ErrNoTopic) {
		return err
	}
	for _, l := range letters {
		if _, missing := left[l.ID()]; missing {
			if err := r.end(ctx, l, Missing, errors.New(gone(l.Topic))); err != nil {
				return err
			}
		}
	}
	return nil
}

// one retries a dead letter with its record.
func (r *retry) one(ctx context.Context, l cache.DeadLetterRow, found stream.StoredDeadLetter) error {
	if found.Cut() {
		return r.end(ctx, l, Cut, fmt.Errorf("only %d of its %d bytes were kept", len(found.Record.Value), found.Size))
	}
	message, err := r.queue.Kafka.Decode(found.Record)
	if err != nil {
		return r.end(ctx, l, Failed, err)
	}
	if r.options.DryRun {
		return r.end(ctx, l, WouldRetried, nil)
	}
	if err := r.limiter.Wait(ctx); err != nil {
		return err
	}
	// Apply keeps Invariant 3 and locks the partition. Without a move no offset
	// changes.
	result, err := r.queue.Store.Apply(ctx, cache.Batch{Records: []cache.Record{{
		TopicPartition: l.TopicPartition, Offset: l.Offset, Change: message.Change, Tombstone: message.Tombstone,
	}}})
	_, faulty := cache.IsRecordFault(err)
	switch {
	case faulty:
		return r.end(ctx, l, Failed, err)
	case err != nil:
		return err // Invariant 6: an outage says nothing about the record
	case result.Stale > 0:
		return r.end(ctx, l, Superseded, nil)
	}
	return r.end(ctx, l, Retried, nil)
}

// end stores and reports the outcome of a dead letter.
func (r *retry) end(ctx context.Context, l cache.DeadLetterRow, o Outcome, cause error) error {
	result := Result{ID: l.ID().String(), Key: l.Key, Outcome: o}
	if cause != nil {
		result.Error = cause.Error()
		result.SQLState, _ = cache.IsRecordFault(cause)
	}
	if err := r.store(ctx, l, result, cause); err != nil {
		return err
	}
	r.count[o]++
	r.done++
	if r.options.Each != nil {
		if err := r.options.Each(result); err != nil {
			return err
		}
	}
	if o.staysOpen() && r.done <= r.options.Canary && !r.options.DryRun {
		return ErrCanary
	}
	return nil
}

func (r *retry) store(ctx context.Context, l cache.DeadLetterRow, result Result, cause error) error {
	if r.options.DryRun {
		return nil
	}
	var err error
	switch result.Outcome {
	case Retried:
		_, _, err = r.queue.Store.SetDeadLetterState(ctx, l.ID(), cache.DeadLetterRetried)
	case Superseded:
		_, _, err = r.queue.Store.SetDeadLetterState(ctx, l.ID(), cache.DeadLetterSuperseded)
	case Failed:
		again := l.DeadLetter
		again.Class, again.SQLState, again.Error = string(stream.ClassData), result.SQLState, result.Error
		if decode, ok := errors.AsType[*stream.DecodeError](cause); ok {
			again.Class = string(decode.Class)
		}
		err = r.queue.Store.FailAgain(ctx, again)
	}
	return err
}
