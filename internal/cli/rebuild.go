package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/console"
	"odastream/internal/daemon"
	"odastream/internal/settings"
	"odastream/rebuild"
	"odastream/schema"
	"odastream/stream"
)

const rebuildMore = `
It reads the entity's topic from its start into a table of its own in the database, compares that with the cache, seq by
seq and content by content, and writes the differences alone: rows that are missing, that are not as the topic has them,
that the topic does not have, and deletes that are not remembered. The sink may run meanwhile. What it has not applied
yet is left to it; a row that CACHE_TTL removed stays away. No history is written, since nothing changed at the source.

The database needs room for the entity's rows once more while it runs. Set the variables as for the sink (KAFKA_BROKERS,
DATABASE_URL, SINK_GROUP, CACHE_TTL, …; sink --help), or start "odastream up".

Exit status 0: no difference, or all of them mended; 1: a difference in a dry run, a row that Postgres refuses, or a fault.`

// rebuilding is the command line and the settings of rebuild.
type rebuilding struct {
	target
	dry, json bool
	set       rebuildSettings
}

type rebuildSettings struct {
	DatabaseURL string        `env:"DATABASE_URL,required" secret:"true"`
	Kafka       stream.Config `envPrefix:"KAFKA_"`
	Cache       cache.Config  `envPrefix:"CACHE_"`
	Group       string        `env:"SINK_GROUP" envDefault:"parliament-sink"`
}

func rebuildCommand() command {
	return command{
		name: "rebuild", args: "ENTITY", about: "Compare one entity's cache with its topic, and mend what differs.", more: rebuildMore,
		flags: func(set *flag.FlagSet) action {
			f := &rebuilding{}
			f.declare(set)
			set.BoolVar(&f.dry, "dry-run", false, "say what differs, and change nothing")
			set.BoolVar(&f.json, "json", false, "print the report as one JSON object")
			return f.run
		},
	}
}

func (f *rebuilding) run(ctx context.Context, c call) error {
	entity, err := schema.Lookup(c.args[0])
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err := f.read(c.environ); err != nil {
		return err
	}
	log := slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, slog.LevelInfo))
	return untilStopped(ctx, log, func(ctx context.Context) error {
		report, err := f.rebuild(ctx, entity.Name, console.NewProgress(c.stderr, log), log)
		if err != nil {
			return explainRebuild(err, report, f.set.Group)
		}
		if f.json {
			err = printObject(c.stdout, report)
		} else {
			err = writeRebuild(c.stdout, report)
		}
		if err != nil {
			return fmt.Errorf("print report: %w", err)
		}
		if report.Refused.Count > 0 || f.dry && report.Damage() > 0 {
			return statusError(daemon.ExitFault)
		}
		return nil
	})
}

// read takes the settings of the sink, or what the running trial has.
func (f *rebuilding) read(environ []string) error {
	place, ok, err := f.find(environ)
	if err != nil {
		return err
	}
	if ok {
		environ = append(slices.Clone(environ), "DATABASE_URL="+place.DatabaseURL)
	}
	if err := settings.Parse(environ, &f.set); err != nil || !ok {
		return err
	}
	f.set.Kafka = trialKafka(place)
	return nil
}

func (f *rebuilding) rebuild(ctx context.Context, entity string, line *console.Progress, log *slog.Logger) (report rebuild.Report, err error) {
	cfg, err := cache.PoolConfig(f.set.DatabaseURL)
	if err != nil {
		return report, fmt.Errorf("DATABASE_URL: %w", err)
	}
	pool, err := connect.Pool(ctx, cfg)
	if err != nil {
		return report, err
	}
	defer pool.Close()
	asking, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	cl, err := openKafka(asking, f.set.Kafka, log)
	if err != nil {
		return report, err
	}
	defer cl.Close()
	if err := complete(asking, pool, entity); err != nil {
		return report, err
	}
	shown := rebuildProgress{line: line, entity: entity, now: time.Now}
	r := rebuild.Rebuilder{
		Topics: stream.NewTopics(cl, f.set.Kafka, log), Kafka: f.set.Kafka,
		Store: cache.New(pool, f.set.Group, f.set.Cache, log), Progress: shown.set,
	}
	if report, err = r.Rebuild(ctx, entity, f.dry); err == nil {
		line.Done(fmt.Sprintf("%s: %d rows compared", entity, max(report.InTopic, report.InCache)))
	}
	return report, err
}

// complete refuses a topic that the poller is filling: until it is full, rows that
// it does not hold are no damage.
func complete(ctx context.Context, pool *pgxpool.Pool, entity string) error {
	at, err := checkpoint.New(pool).Load(ctx, entity)
	if err == nil && at.LoadedAt.IsZero() && (at.Seq > 0 || !at.Watermark.IsZero()) {
		err = fmt.Errorf("the first load of %s is not complete: its topic does not hold all rows yet; \"odastream status\" says how far it is", entity)
	}
	return err
}

// explainRebuild says what a person can do.
func explainRebuild(err error, r rebuild.Report, group string) error {
	if r.Mended > 0 {
		err = fmt.Errorf("%d rows are mended, then: %w", r.Mended, err)
	}
	switch {
	case errors.Is(err, cache.ErrNotApplied):
		return fmt.Errorf("%w (group %s: is SINK_GROUP that of the sink, and has the sink run since the topic was made?)", err, group)
	case errors.Is(err, stream.ErrNotCompacted):
		return fmt.Errorf("%w: set its cleanup.policy to compact, have the entity published anew, and try again", err)
	}
	return err
}
