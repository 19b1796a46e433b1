package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/cache"
	"odastream/replay"
)

func (f *replayFlags) runGroup(ctx context.Context, c call) error {
	switch {
	case f.from != "" || f.id != "" || f.ids != "":
		return fmt.Errorf("%w: --from, --key and --ids are for a replay to the cache; a --group goes on --to a place", errUsage)
	case f.to == "":
		return fmt.Errorf("%w: to where? --to start, an offset, or a time such as 24h", errUsage)
	}
	place, err := parsePlace("to", f.to, time.Now())
	if err != nil {
		return err
	}
	if place.IsOffset() && f.entity == "" {
		return fmt.Errorf("%w: an offset means something in one topic only: name it with --entity", errUsage)
	}
	var s sinkSettings
	to, err := f.read(c.environ, &s)
	if err != nil {
		return err
	}
	log := c.log(slog.LevelWarn)
	return c.untilStopped(ctx, log, func(ctx context.Context) error {
		g := replay.Group{Name: f.group, Kafka: s.Kafka, Sink: s.Sink.Group}
		if to.databaseURL() != "" {
			pool, err := to.pool(ctx, nil)
			if err != nil {
				return fmt.Errorf("see whether %s is a sink's group: %w", f.group, err)
			}
			defer pool.Close()
			g.Reader = cache.NewReader(pool)
		}
		cl, err := openKafka(ctx, s.Kafka, log)
		if err != nil {
			return err
		}
		defer cl.Close()
		g.Admin = kadm.NewClient(cl)
		return f.reset(ctx, c, &g, place)
	})
}

// reset sets the offsets of the group.
func (f *replayFlags) reset(ctx context.Context, c call, g *replay.Group, to replay.Place) error {
	ctx, cancel := context.WithTimeout(ctx, askKafka)
	defer cancel()
	report, err := g.Plan(ctx, f.entity, to, f.partition)
	if err != nil {
		return err
	}
	report.DryRun = f.dry
	if !f.json {
		if err := announceReset(c, report); err != nil {
			return err
		}
	}
	if !f.dry {
		if err := g.Set(ctx, report); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		return c.printObject(report)
	case f.dry:
		return c.printf("nothing was done (--dry-run)\n")
	}
	return c.printf("done: %s goes on from there when it is started\n", f.group)
}

func announceReset(c call, report replay.GroupReport) error {
	fmt.Fprintf(c.stdout, "group %s has no members; its offsets:\n", report.Group)
	table := newTable(c.stdout)
	fmt.Fprintln(table, "  TOPIC\tPARTITION\tIS AT\tGOES TO\tTOPIC HOLDS\t")
	for _, o := range report.Offsets {
		was := "-"
		if o.Was >= 0 {
			was = fmt.Sprint(o.Was)
		}
		fmt.Fprintf(table, "  %s\t%d\t%s\t%d\t%d to %d\t%s\n", o.Topic, o.Partition, was, o.To, o.Start, o.End, o.Note)
	}
	if len(report.Others) > 0 {
		fmt.Fprintf(table, "left as they are: %s\n", strings.Join(report.Others, ", "))
	}
	return flush(table)
}
