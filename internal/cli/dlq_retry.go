package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"golang.org/x/time/rate"

	"odastream/cache"
	"odastream/internal/daemon"
	"odastream/stream"
)

const dlqRetryMore = dlqMore + `

It applies open dead letters to the cache, as the sink would: a record never replaces a newer version of its key, and one
that turns out to be older is superseded. It writes no topic. One that fails again stays open, with the new error.
The other rules of the sink hold too (CACHE_TTL): set the variables as for the sink.

Exit status 1 if any could not be applied. An outage of Postgres or Kafka ends it; what was done is kept.`

// retrying is the command line of dlq retry.
type retrying struct {
	letterChoice
	canary int
	rate   float64
}

func dlqRetryCommand() command {
	return command{
		name: "dlq retry", about: "Apply dead letters to the cache once more.", more: dlqRetryMore,
		flags: func(set *flag.FlagSet) action {
			f := &retrying{}
			f.declare(set)
			set.IntVar(&f.canary, "canary", 0, "stop if any of the first `N` cannot be applied")
			set.Float64Var(&f.rate, "rate", 100, "`records` a second; 0: no limit")
			return f.run
		},
	}
}

func (f *retrying) run(ctx context.Context, c call) error {
	filter, err := f.choice()
	if err != nil {
		return err
	}
	switch {
	case f.canary < 0:
		return fmt.Errorf("%w: --canary is %d, want 0 or more", errUsage, f.canary)
	case !(f.rate >= 0): // NaN is neither
		return fmt.Errorf("%w: --rate is %v, want 0 or more", errUsage, f.rate)
	}
	return f.open(ctx, c, func(ctx context.Context, b *letterbox) error {
		r := newRetry(b, f, c.stdout)
		return r.run(ctx, filter)
	})
}

// outcome is what became of one retried letter.
type outcome string

const (
	outApplied    outcome = "retried"
	outSuperseded outcome = "superseded"
	outFailed     outcome = "failed"  // once more; it stays open
	outCut        outcome = "cut"     // only a part of the record was kept
	outMissing    outcome = "missing" // the topic does not hold the record any more
	outWould      outcome = "would be retried"
)

// stays says that a letter is as open as before.
func (o outcome) stays() bool { return o == outFailed || o == outCut || o == outMissing }

// outcomeLine is an outcome as it is printed.
type outcomeLine struct {
	Letter   string  `json:"letter"`
	Key      string  `json:"key"`
	Outcome  outcome `json:"outcome"`
	SQLState string  `json:"sqlstate,omitempty"`
	Error    string  `json:"error,omitempty"`
}

// retry is one run of dlq retry.
type retry struct {
	box     *letterbox
	out     io.Writer
	dry     bool
	json    bool
	canary  int
	limiter *rate.Limiter
	count   map[outcome]int
	done    int
}

func newRetry(b *letterbox, f *retrying, out io.Writer) *retry {
	limit := rate.Limit(f.rate)
	if f.rate == 0 {
		limit = rate.Inf
	}
	return &retry{
		box: b, out: out, dry: f.dry, json: f.json, canary: f.canary, limiter: rate.NewLimiter(limit, 1), count: map[outcome]int{},
	}
}

// errCanary ends a run that began badly.
var errCanary = errors.New("one of the first could not be applied: the others were left alone (--canary)")

func (r *retry) run(ctx context.Context, filter cache.LetterFilter) error {
	letters, err := r.open(ctx, filter)
	if err != nil {
		return err
	}
	r.announce(letters)
	for len(letters) > 0 {
		n := 1
		for n < len(letters) && letters[n].Topic == letters[0].Topic {
			n++
		}
		if err := r.topic(ctx, letters[:n]); err != nil {
			return err
		}
		letters = letters[n:]
	}
	if !r.json {
		fmt.Fprintf(r.out, "%d retried, %d superseded, %d stay open\n", r.count[outApplied]+r.count[outWould], r.count[outSuperseded], r.stay())
	}
	if r.stay() > 0 && !r.dry {
		return statusError(daemon.ExitFault)
	}
	return nil
}

// open gives the letters that can be retried. What is superseded already is
// stored as such, and left out.
func (r *retry) open(ctx context.Context, filter cache.LetterFilter) ([]cache.Letter, error) {
	if !r.dry {
		if _, err := r.box.SettleSuperseded(ctx); err != nil {
			return nil, err
		}
	}
	filter.States = []cache.LetterState{cache.LetterOpen}
	if filter.At == nil {
		return r.box.Letters(ctx, filter)
	}
	filter.States = nil
	letters, err := r.box.Letters(ctx, filter)
	switch {
	case err != nil:
		return nil, err
	case len(letters) == 0:
		return nil, fmt.Errorf("there is no dead letter %s with this class, key and age", filter.At)
	case letters[0].State != cache.LetterOpen:
		return nil, fmt.Errorf("dead letter %s is %s: only an open one can be retried", filter.At, letters[0].State)
	}
	return letters, nil
}

func (r *retry) stay() int { return r.count[outFailed] + r.count[outCut] + r.count[outMissing] }

func (r *retry) announce(letters []cache.Letter) {
	switch {
	case r.json:
	case r.dry:
		fmt.Fprintf(r.out, "nothing is changed; of %d dead letters:\n", len(letters))
	default:
		fmt.Fprintf(r.out, "applying %d dead letters to the cache, where it holds no newer version of the key:\n", len(letters))
	}
}

// topic retries the letters of one topic while it reads their records: few of
// them are ever in memory.
func (r *retry) topic(ctx context.Context, letters []cache.Letter) error {
	left := map[cache.TopicPartitionOffset]cache.Letter{}
	for _, l := range letters {
		left[l.Where()] = l
	}
	err := r.box.read(ctx, letters[0].Topic, func(found stream.StoredLetter) error {
		l, wanted := left[originOf(found)]
		if !found.HasOffset || !wanted || !l.Tells(found.Record.Key) {
			return nil
		}
		delete(left, l.Where()) // Dead letters are at least once.
		return r.one(ctx, l, found)
	})
	if err != nil && !errors.Is(err, stream.ErrNoTopic) {
		return err
	}
	for _, l := range letters {
		if _, missing := left[l.Where()]; missing {
			if err := r.end(ctx, l, outMissing, errors.New("the topic "+l.Topic+".dlq does not hold the record any more")); err != nil {
				return err
			}
		}
	}
	return nil
}

// one retries a letter with its record.
func (r *retry) one(ctx context.Context, l cache.Letter, found stream.StoredLetter) error {
	if found.Cut() {
		return r.end(ctx, l, outCut, fmt.Errorf("only %d of its %d bytes were kept", len(found.Record.Value), found.Size))
	}
	message, err := stream.Decode(found.Record)
	if err != nil {
		return r.end(ctx, l, outFailed, err)
	}
	if r.dry {
		return r.end(ctx, l, outWould, nil)
	}
	if err := r.limiter.Wait(ctx); err != nil {
		return err
	}
	// Invariant 3 and the lock of the partition are Apply's. Without a move no
	// offset changes.
	result, err := r.box.Apply(ctx, cache.Batch{Records: []cache.Record{{
		TopicPartition: l.TopicPartition, Offset: l.Offset, Change: message.Change, Tombstone: message.Tombstone,
	}}})
	_, faulty := cache.IsRecordFault(err)
	switch {
	case faulty:
		return r.end(ctx, l, outFailed, err)
	case err != nil:
		return err // Invariant 6: an outage says nothing about the record
	case result.Stale > 0:
		return r.end(ctx, l, outSuperseded, nil)
	}
	return r.end(ctx, l, outApplied, nil)
}

// end stores and prints what became of a letter.
func (r *retry) end(ctx context.Context, l cache.Letter, o outcome, cause error) error {
	line := outcomeLine{Letter: l.Where().String(), Key: l.Key, Outcome: o}
	if cause != nil {
		line.Error = cause.Error()
		line.SQLState, _ = cache.IsRecordFault(cause)
	}
	if err := r.store(ctx, l, line, cause); err != nil {
		return err
	}
	r.count[o]++
	r.done++
	if err := r.print(line); err != nil {
		return err
	}
	if o.stays() && r.done <= r.canary && !r.dry {
		return errCanary
	}
	return nil
}

func (r *retry) store(ctx context.Context, l cache.Letter, line outcomeLine, cause error) error {
	if r.dry {
		return nil
	}
	var err error
	switch line.Outcome {
	case outApplied:
		_, _, err = r.box.Settle(ctx, l.Where(), cache.LetterRetried)
	case outSuperseded:
		_, _, err = r.box.Settle(ctx, l.Where(), cache.LetterSuperseded)
	case outFailed:
		again := l.DeadLetter
		again.Class, again.SQLState, again.Error = string(stream.ClassData), line.SQLState, line.Error
		if decode, ok := errors.AsType[*stream.DecodeError](cause); ok {
			again.Class = string(decode.Class)
		}
		err = r.box.FailAgain(ctx, again)
	}
	return err
}

func (r *retry) print(line outcomeLine) error {
	if r.json {
		return jsonLine(r.out, line)
	}
	text := fmt.Sprintf("%s  %s  %s", line.Letter, line.Key, line.Outcome)
	if line.Error != "" {
		text += ": " + oneLine(line.Error)
	}
	_, err := fmt.Fprintln(r.out, text)
	return err
}
