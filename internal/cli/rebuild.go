package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/daemon"
	"odastream/rebuild"
	"odastream/stream"
)

const rebuildMore = `
It reads the entity's topic from its start into a temporary table of the database, compares that table with the cache by
seq and by content, and writes only the differences: missing rows, rows with another content, rows that the topic does not
have, and missing deletes. It keeps a row that the topic does not have if the poller's ledger says that the topic must have
it: the topic has lost it, and the poller publishes it again (--delete-lost deletes it). Rows that CACHE_TTL removed are not
restored. No history is written, since nothing changed at the source. The sink may run at the same time: records that it has
not applied yet are left to it.

The database needs space for a second copy of the entity's rows while it runs. Set the variables as for the sink
(KAFKA_BROKERS, DATABASE_URL, SINK_GROUP, CACHE_TTL, …; sink --help), or start "odastream up".

Exit status 0: no difference, or all of them mended; 1: a difference in a dry run, a row that Postgres refuses or the topic
has lost, or a fault.`

// rebuildFlags are the command line of rebuild.
type rebuildFlags struct {
	targetFlags
	dry, json  bool
	deleteLost bool
}

func rebuildCommand() command {
	return command{
		name: "rebuild", args: "ENTITY", about: "Compare one entity's cache with its topic, and mend what differs.", more: rebuildMore,
		flags: func(set *flag.FlagSet) action {
			f := &rebuildFlags{}
			f.declare(set)
			set.BoolVar(&f.dry, "dry-run", false, "print what differs, and change nothing")
			set.BoolVar(&f.deleteLost, "delete-lost", false, "also delete the rows that the topic has lost, as the poller's ledger says")
			set.BoolVar(&f.json, "json", false, "print the report as one JSON object")
			return f.run
		},
	}
}

func (f *rebuildFlags) run(ctx context.Context, c call) error {
	entity, err := entityOf(c.args[0])
	if err != nil {
		return err
	}
	return f.withSink(ctx, c, slog.LevelInfo, func(ctx context.Context, s sinkTarget) error {
		report, err := f.rebuild(ctx, c, s, entity.Name)
		if err != nil {
			return explainRebuild(err, report, s.Sink.Group)
		}
		return f.print(c, report)
	})
}

func (f *rebuildFlags) rebuild(ctx context.Context, c call, s sinkTarget, entity string) (report rebuild.Report, err error) {
	cl, err := openKafka(ctx, s.Kafka, s.log)
	if err != nil {
		return report, err
	}
	defer cl.Close()
	if err := complete(ctx, s.pool, entity); err != nil {
		return report, err
	}
	line := c.progress()
	shown := rebuildProgress{line: line, entity: entity, now: time.Now}
	r := rebuild.Rebuilder{Topics: stream.NewTopics(cl, s.Kafka, s.log), Kafka: s.Kafka, Store: s.store, Progress: shown.set}
	if !f.deleteLost {
		r.Known = checkpoint.New(s.pool).OnTopic
	}
	if report, err = r.Rebuild(ctx, entity, f.dry); err == nil {
		line.Done(fmt.Sprintf("%s: %d rows compared", entity, max(report.InTopic, report.InCache)))
	}
	return report, err
}

// print prints the report. A remaining difference is an error.
func (f *rebuildFlags) print(c call, report rebuild.Report) error {
	var err error
	if f.json {
		err = c.printObject(report)
	} else {
		err = printErr(0, writeRebuild(c.stdout, report))
	}
	if err == nil && (report.Refused.Count > 0 || report.Lost.Count > 0 || f.dry && report.Damage() > 0) {
		err = statusError(daemon.ExitFault)
	}
	return err
}

// complete refuses a topic that the poller is still filling: until the first load is
// complete, rows missing from it are no damage.
func complete(ctx context.Context, pool *pgxpool.Pool, entity string) error {
	at, err := checkpoint.New(pool).Load(ctx, entity)
	if err == nil && at.LoadedAt.IsZero() && (at.Seq > 0 || !at.Watermark.IsZero()) {
		err = fmt.Errorf("the first load of %s is not complete: its topic does not hold all rows yet; \"odastream status\" says how far it is", entity)
	}
	return err
}

// explainRebuild adds to an error what a person can do.
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
