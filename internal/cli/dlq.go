package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"odastream/cache"
	"odastream/dlq"
	"odastream/stream"
)

// dlqCommands are the commands for dead letters.
func dlqCommands() []command {
	return []command{dlqListCommand(), dlqShowCommand(), dlqRetryCommand(), dlqDiscardCommand()}
}

const dlqMore = `
A dead letter is named by its record, TOPIC/PARTITION@OFFSET. The table dead_letters is in the database of DATABASE_URL, and
the records are on the topics TOPIC.dlq of KAFKA_BROKERS. If these are not set, those of the running "odastream up" are used.`

// dlqFlags are the flags common to the commands for dead letters.
type dlqFlags struct {
	targetFlags
	json bool
}

func (f *dlqFlags) declare(set *flag.FlagSet) {
	f.targetFlags.declare(set)
	set.BoolVar(&f.json, "json", false, "print one JSON object a line")
}

// open runs work on the dead letters, until the first signal.
func (f *dlqFlags) open(ctx context.Context, c call, work func(context.Context, *dlq.Queue) error) error {
	return f.withSink(ctx, c, slog.LevelWarn, func(ctx context.Context, s sinkTarget) error {
		return work(ctx, &dlq.Queue{
			Store: s.store, Reader: cache.NewReader(s.pool), Records: deadLetterTopics{s.Kafka, s.log}, Kafka: s.Kafka, Log: s.log,
		})
	})
}

// deadLetterTopics reads dead letters, and connects to Kafka only when it does.
type deadLetterTopics struct {
	kafka stream.Config
	log   *slog.Logger
}

// ReadDeadLetters calls ReadDeadLetters of stream.Topics.
func (t deadLetterTopics) ReadDeadLetters(ctx context.Context, topic string, fn func(stream.StoredDeadLetter) error) error {
	cl, err := openKafka(ctx, t.kafka, t.log)
	if err != nil {
		return err
	}
	defer cl.Close()
	return stream.NewTopics(cl, t.kafka, t.log).ReadDeadLetters(ctx, topic, fn)
}

// dlqFilter are the flags that select dead letters.
type dlqFilter struct {
	topic, class, key string
	since, at         string // only with declareAll
}

func (f *dlqFilter) declare(set *flag.FlagSet) {
	set.StringVar(&f.topic, "topic", "", "only those of the records of this `topic`")
	set.StringVar(&f.class, "class", "", "only those of this class: `decode|schema|data|too_large`")
	set.StringVar(&f.key, "key", "", "only those of this `key`, such as Sag:98765")
}

func (f *dlqFilter) declareAll(set *flag.FlagSet) {
	f.declare(set)
	set.StringVar(&f.since, "since", "", "only those that failed since this `time`: 24h, or 2026-11-23T15:00:00Z")
	set.StringVar(&f.at, "letter", "", "only this `TOPIC/PARTITION@OFFSET`")
}

// none reports whether no flag selects: all dead letters are meant.
func (f *dlqFilter) none() bool { return *f == dlqFilter{} }

// parse returns what the flags select, in any state.
func (f *dlqFilter) parse() (cache.DeadLetterFilter, error) {
	switch stream.Class(f.class) {
	case "", stream.ClassDecode, stream.ClassSchema, stream.ClassData, stream.ClassTooLarge:
	default:
		return cache.DeadLetterFilter{}, fmt.Errorf("%w: --class is %q, want decode, schema, data or too_large", errUsage, f.class)
	}
	filter := cache.DeadLetterFilter{Topic: strings.TrimSuffix(f.topic, ".dlq"), Class: f.class, Key: f.key}
	if f.since != "" {
		var err error
		if filter.Since, err = parseTime(f.since, time.Now()); err != nil {
			return filter, fmt.Errorf("%w: --since is %q, %w", errUsage, f.since, err)
		}
	}
	if f.at != "" {
		at, err := dlq.ParseID(f.at)
		if err != nil {
			return filter, fmt.Errorf("%w: --letter: %w", errUsage, err)
		}
		filter.At = &at
	}
	return filter, nil
}

// parseTime parses a time, or a duration before now.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return when, errors.New("want a time before now such as 24h, or a moment such as 2026-11-23T15:00:00Z")
	}
	return when, nil
}
