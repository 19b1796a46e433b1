package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/internal/connect"
	"odastream/internal/console"
	"odastream/internal/settings"
	"odastream/stream"
)

// dlqCommands are the commands about dead letters.
func dlqCommands() []command {
	return []command{dlqListCommand(), dlqShowCommand(), dlqRetryCommand(), dlqDiscardCommand()}
}

const dlqMore = `
A dead letter is named by its record, TOPIC/PARTITION@OFFSET. The table is that of DATABASE_URL and the records are in the
topics TOPIC.dlq of KAFKA_BROKERS, or where these are not set those of the running "odastream up".`

// letterFlags are what the commands about dead letters have in common.
type letterFlags struct {
	target
	json  bool
	topic string
	class string
	key   string
	set   letterSettings
}

// letterSettings are those of the sink that say where everything is.
type letterSettings struct {
	DatabaseURL string        `env:"DATABASE_URL,required" secret:"true"`
	Kafka       stream.Config `envPrefix:"KAFKA_"`
	Cache       cache.Config  `envPrefix:"CACHE_"`
}

func (f *letterFlags) declare(set *flag.FlagSet) {
	f.target.declare(set)
	set.BoolVar(&f.json, "json", false, "print one JSON object a line")
}

func (f *letterFlags) declareFilter(set *flag.FlagSet) {
	set.StringVar(&f.topic, "topic", "", "only those of the records of this `topic`")
	set.StringVar(&f.class, "class", "", "only those of this class: `decode|schema|data|too_large`")
	set.StringVar(&f.key, "key", "", "only those of this `key`, such as Sag:98765")
}

// filter is what the flags select, in one of the states.
func (f *letterFlags) filter(states ...cache.LetterState) (cache.LetterFilter, error) {
	switch stream.Class(f.class) {
	case "", stream.ClassDecode, stream.ClassSchema, stream.ClassData, stream.ClassTooLarge:
	default:
		return cache.LetterFilter{}, fmt.Errorf("%w: --class is %q, want decode, schema, data or too_large", errUsage, f.class)
	}
	topic := strings.TrimSuffix(f.topic, ".dlq")
	return cache.LetterFilter{Topic: topic, Class: f.class, Key: f.key, States: states}, nil
}

// open reads the settings and does work with what they name, until the first signal.
func (f *letterFlags) open(ctx context.Context, c call, work func(context.Context, *letterbox) error) error {
	place, ok, err := f.find(c.environ)
	switch {
	case err != nil:
		return err
	case ok:
		f.set.DatabaseURL, f.set.Kafka, f.set.Cache.GIN = place.DatabaseURL, trialKafka(place), "on"
	default:
		if err := settings.Parse(c.environ, &f.set); err != nil {
			return err
		}
	}
	log := slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, slog.LevelWarn))
	return untilStopped(ctx, log, func(ctx context.Context) error {
		cfg, err := cache.PoolConfig(f.set.DatabaseURL)
		if err != nil {
			return fmt.Errorf("DATABASE_URL: %w", err)
		}
		pool, err := connect.Pool(ctx, cfg)
		if err != nil {
			return err
		}
		defer pool.Close()
		return work(ctx, newLetterbox(pool, f.set, log))
	})
}

// letterbox is the table of dead letters and their topics.
type letterbox struct {
	*cache.Store
	kafka stream.Config
	log   *slog.Logger
}

func newLetterbox(pool *pgxpool.Pool, set letterSettings, log *slog.Logger) *letterbox {
	const group = "odastream dlq" // it has no offsets: nothing is moved here
	return &letterbox{Store: cache.New(pool, group, set.Cache, log), kafka: set.Kafka, log: log}
}

// read gives fn the dead letters that a topic's .dlq holds.
func (b *letterbox) read(ctx context.Context, topic string, fn func(stream.StoredLetter) error) error {
	asking, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	cl, err := openKafka(asking, b.kafka, b.log)
	if err != nil {
		return err
	}
	defer cl.Close()
	return stream.NewTopics(cl, b.kafka, b.log).ReadDeadLetters(ctx, topic, fn)
}

// errFound ends a reading early.
var errFound = errors.New("found")

// find reads topic until a letter is the one that is looked for.
func (b *letterbox) find(ctx context.Context, topic string, is func(stream.StoredLetter) bool) (found stream.StoredLetter, ok bool, err error) {
	err = b.read(ctx, topic, func(l stream.StoredLetter) error {
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

// originOf is the record that a stored letter is of.
func originOf(l stream.StoredLetter) cache.TopicPartitionOffset {
	return recordAt(l.Record.Topic, l.Record.Partition, l.Record.Offset)
}

func recordAt(topic string, partition int32, offset int64) cache.TopicPartitionOffset {
	return cache.TopicPartitionOffset{TopicPartition: cache.TopicPartition{Topic: topic, Partition: partition}, Offset: offset}
}

// parseLetter reads TOPIC/PARTITION@OFFSET.
func parseLetter(text string) (cache.TopicPartitionOffset, error) {
	topic, rest, _ := strings.Cut(text, "/")
	first, second, _ := strings.Cut(rest, "@")
	partition, err := strconv.ParseInt(first, 10, 32)
	offset, err2 := strconv.ParseInt(second, 10, 64)
	if topic == "" || err != nil || err2 != nil || partition < 0 || offset < 0 {
		return cache.TopicPartitionOffset{}, fmt.Errorf("%w: %q is no dead letter, want TOPIC/PARTITION@OFFSET as dlq list prints it", errUsage, text)
	}
	return recordAt(topic, int32(partition), offset), nil
}

// parseSince reads a moment, or a time before now.
func parseSince(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return when, fmt.Errorf("%w: --%s is %q, want a time before now such as 24h, or a moment such as 2026-11-23T15:00:00Z", errUsage, name, text)
	}
	return when, nil
}

// jsonLine prints v as one line of JSON.
func jsonLine(out io.Writer, v any) error {
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
