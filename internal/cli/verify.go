package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/daemon"
	"odastream/internal/wiring"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
	"odastream/verify"
)

const verifyMore = `
It compares each entity at the source (ODA_URL, ODA_ENTITIES) with the poller's ledger and the cache in the database
(DATABASE_URL), and the ledger with the topics (KAFKA_BROKERS). If these are not set, those of the running "odastream up" are
compared. The command counts rows by ranges of ids, reads the ranges in which the counts differ, and compares a sample of rows
by content; of a topic it compares where it starts and ends. With --full it compares every row, in a request for each 100, at
ODA_RATE requests a second, and reads the topics whole.

Two rows are the same if their contents are, without the stamp opdateringsdato. The cache stores jsonb, which does not keep the
order of members, all but the last of two members with one name, and how a number is written (1e2, 1.50, -0.0). These are no
differences.

A difference is checked again until --wait is over; a row that changes meanwhile is not counted. Exit status 0: no difference;
1: a difference, or an entity that could not be verified; 2: bad command line or settings.`

// verifyFlags are the command line of verify.
type verifyFlags struct {
	targetFlags
	full, json bool
	topics     bool
	sample     int
	wait       time.Duration
	entities   string
}

func verifyCommand() command {
	return command{
		name: "verify", about: "Prove that every row at the source is in the ledger and in the cache.", more: verifyMore,
		flags: func(set *flag.FlagSet) action {
			f := &verifyFlags{}
			f.declare(set)
			set.BoolVar(&f.full, "full", false, "compare every row by its content")
			set.BoolVar(&f.topics, "topics", true, "compare the ledger with the topics")
			set.IntVar(&f.sample, "sample", 5, "without --full: `windows` of 100 rows to compare, at random ids of each entity; 0: none")
			set.DurationVar(&f.wait, "wait", 10*time.Second, "how `long` a difference is checked again, 1ms to 1h")
			set.StringVar(&f.entities, "entities", "", "verify these `names` only, comma-separated; default ODA_ENTITIES")
			set.BoolVar(&f.json, "json", false, "print the report as one JSON object")
			return f.run
		},
	}
}

func (f *verifyFlags) run(ctx context.Context, c call) error {
	switch {
	case f.sample < 0 || f.sample > 100_000:
		return fmt.Errorf("%w: --sample is %d, want 0 to 100000", errUsage, f.sample)
	case f.wait < time.Millisecond || f.wait > time.Hour:
		return fmt.Errorf("%w: --wait is %s, want 1ms to 1h", errUsage, f.wait)
	}
	var all verifySettings
	to, err := f.read(c.environ, &all)
	if err != nil {
		return err
	}
	s := all.Copied
	if f.entities != "" {
		s.Entities = nil
		if err := s.Entities.UnmarshalText([]byte(f.entities)); err != nil {
			return fmt.Errorf("%w: --entities: %w", errUsage, err)
		}
	}
	log := c.log(slog.LevelInfo)
	return c.untilStopped(ctx, log, func(ctx context.Context) error {
		v, closeAll, err := openVerifier(ctx, to, s.Source, log)
		if err != nil {
			return err
		}
		defer closeAll()
		if f.topics {
			topics, closeTopics := openTopics(ctx, all.Kafka, log)
			defer closeTopics()
			v = v.WithTopics(topics)
		}
		return f.verify(ctx, c, v, s)
	})
}

func (f *verifyFlags) verify(ctx context.Context, c call, v *verify.Verifier, s sourceSettings) error {
	line := c.progress()
	report, err := v.Verify(ctx, s.Entities.OrDefault(), verify.Options{
		Full: f.full, Sample: f.sample, Patience: f.wait, Workers: s.Source.Concurrency, Progress: line.Set,
	})
	if err != nil {
		return err
	}
	line.Done(fmt.Sprintf("%d entities verified", len(report.Entities)))
	if f.json {
		err = c.printObject(report)
	} else {
		err = printErr(0, report.WriteText(c.stdout))
	}
	if err == nil && !report.OK {
		err = statusError(daemon.ExitFault)
	}
	return err
}

// verifySettings are those of verify.
type verifySettings struct {
	Copied sourceSettings
	Kafka  stream.Config `envPrefix:"KAFKA_"`
}

// topicsOrError are the topics, or why they cannot be read.
type topicsOrError struct {
	*stream.Topics
	err error
}

// openTopics connects to Kafka once: an entity whose topic cannot be read is no reason
// not to compare the rest.
func openTopics(ctx context.Context, cfg stream.Config, log *slog.Logger) (t topicsOrError, closeAll func()) {
	cl, err := openKafka(ctx, cfg, log)
	if err != nil {
		return topicsOrError{err: err}, func() {}
	}
	return topicsOrError{Topics: stream.NewTopics(cl, cfg, log)}, cl.Close
}

// Extents is that of the topics.
func (t topicsOrError) Extents(ctx context.Context, entity string) (map[int32]schema.Position, error) {
	if t.err != nil {
		return nil, t.err
	}
	return t.Topics.Extents(ctx, entity)
}

// sourceSettings say where the source is and which entities are copied.
type sourceSettings struct {
	Source   oda.Config      `envPrefix:"ODA_"`
	Entities wiring.Entities `env:"ODA_ENTITIES"`
}

// openVerifier opens source and database; closeAll closes them.
func openVerifier(ctx context.Context, to target, source oda.Config, log *slog.Logger) (v *verify.Verifier, closeAll func(), err error) {
	client, err := oda.New(source, log, nil)
	if err != nil {
		return nil, nil, err
	}
	pool, err := to.pool(ctx, withoutTimeout) // counting an entity can take long
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	v = verify.New(client, checkpoint.New(pool), cache.NewReader(pool))
	return v, func() { client.Close(); pool.Close() }, nil
}
