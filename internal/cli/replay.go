package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"odastream/cache"
	"odastream/internal/console"
	"odastream/internal/daemon"
	"odastream/replay"
	"odastream/schema"
	"odastream/stream"
)

const replayMore = `
With ENTITY it applies records of the entity's topic to the cache again, by the rules of the sink, which may run at the same
time: a record never replaces a newer version of its key, deleted or not, and rows that CACHE_TTL removed are not restored.
It changes no offset and writes no topic. It restores rows that the cache has lost. It does not restore a content that was
changed by hand while its seq stayed the same: use "odastream rebuild ENTITY", which compares contents.

With --group it applies nothing. It sets the offsets that another consumer group has committed to Kafka, so that the group
reads the records again when it is started. The group must have no members, and Kafka must still have the records. The
offsets of the sink's own group are in Postgres; this command does not set them.

A place is "start" (the first record that the topic still has), an OFFSET in each partition, or a TIME: 24h (ago), or
2026-11-23T15:00:00Z. Set the variables as for the sink (KAFKA_BROKERS, DATABASE_URL, CACHE_TTL, …; sink --help), or start
"odastream up".

  odastream replay Sag --from start --dry-run           count what would be written
  odastream replay Sag --from 24h --key 98765           apply the records of one row
  odastream replay --group newsroom --to 24h            let the group newsroom read the last day again

Exit status 1 if a record could not be applied, or the group's offsets could not be set.`

// replayFlags are the command line of replay.
type replayFlags struct {
	targetFlags
	json, dry bool
	entity    string
	partition int

	from, id, ids string // what to apply to the cache
	group, to     string // the group whose offsets to set, and where
}

func replayCommand() command {
	return command{
		name: "replay", args: "[ENTITY]", about: "Apply a topic's records to the cache again, or let a group read them again.", more: replayMore,
		flags: func(set *flag.FlagSet) action {
			f := &replayFlags{}
			f.declare(set)
			set.BoolVar(&f.json, "json", false, "print one JSON object a line")
			set.StringVar(&f.from, "from", "", "apply the records from this `place`: start|OFFSET|TIME")
			set.StringVar(&f.id, "key", "", "only those of the row with this `id`")
			set.StringVar(&f.ids, "ids", "", "only records of the rows `FIRST..LAST`")
			set.IntVar(&f.partition, "partition", replay.AllPartitions, "only this `partition`; -1: all")
			set.StringVar(&f.group, "group", "", "set the offsets of this consumer `group` instead")
			set.StringVar(&f.to, "to", "", "set the group's offsets to this `place`: start|OFFSET|TIME")
			set.StringVar(&f.entity, "entity", "", "with --group: only the topic of this `entity`; default: all topics that the group has read")
			set.BoolVar(&f.dry, "dry-run", false, "print what would be done, and do nothing")
			return f.run
		},
	}
}

func (f *replayFlags) run(ctx context.Context, c call) error {
	if len(c.args) == 1 {
		if f.entity != "" {
			return fmt.Errorf("%w: two entities: %s and --entity %s", errUsage, c.args[0], f.entity)
		}
		f.entity = c.args[0]
	}
	if f.entity != "" {
		entity, err := entityOf(f.entity)
		if err != nil {
			return err
		}
		f.entity = entity.Name
	}
	if f.partition < replay.AllPartitions {
		return fmt.Errorf("%w: --partition is %d, want 0 or more", errUsage, f.partition)
	}
	if f.group != "" {
		return f.runGroup(ctx, c)
	}
	return f.runCache(ctx, c)
}

func (f *replayFlags) runCache(ctx context.Context, c call) error {
	switch {
	case f.to != "":
		return fmt.Errorf("%w: --to is for --group; a replay to the cache begins --from a place", errUsage)
	case f.entity == "":
		return fmt.Errorf("%w: which entity? odastream replay ENTITY --from start", errUsage)
	case f.from == "":
		return fmt.Errorf("%w: from where? --from start, an offset, or a time such as 24h", errUsage)
	}
	from, err := parsePlace("from", f.from, time.Now())
	if err != nil {
		return err
	}
	ids, err := f.rows()
	if err != nil {
		return err
	}
	return f.withSink(ctx, c, slog.LevelWarn, func(ctx context.Context, s sinkTarget) error {
		cl, err := openKafka(ctx, s.Kafka, s.log)
		if err != nil {
			return err
		}
		defer cl.Close()
		return f.replay(ctx, c, from, ids, &replay.Replayer{
			Client: cl, Topics: stream.NewTopics(cl, s.Kafka, s.log), Kafka: s.Kafka, Store: s.store, Reader: cache.NewReader(s.pool),
		}, console.NewProgress(c.rawErr, s.log))
	})
}

func (f *replayFlags) replay(ctx context.Context, c call, from replay.Place, ids schema.IDRange, r *replay.Replayer, line *console.Progress) error {
	asking, cancel := context.WithTimeout(ctx, askKafka)
	defer cancel()
	plan, err := r.Plan(asking, f.entity, ids, from, f.partition)
	if err != nil {
		return err
	}
	f.announce(c, plan)
	r.Progress = func(read int) {
		line.Set(fmt.Sprintf("%s: %d records read of at most %d", f.entity, read, plan.Offsets()))
	}
	r.LeftOut = func(at cache.TopicPartitionOffset, what string, err error) {
		line.Println(fmt.Sprintf("%s %s: %s", at, what, oneLine(err.Error())))
	}
	report, err := r.Run(ctx, plan, f.dry)
	if err != nil {
		return err
	}
	line.Done(fmt.Sprintf("%s: %d records read", f.entity, report.Read))
	if f.json {
		err = c.printObject(report)
	} else {
		err = c.printf("%s\n", concludeReplay(report, ids))
	}
	if err == nil && report.Refused > 0 {
		err = statusError(daemon.ExitFault)
	}
	return err
}

func (f *replayFlags) announce(c call, p replay.Plan) {
	if f.json {
		return
	}
	verb := "applying"
	if f.dry {
		verb = "counting only (--dry-run); it would be applied:"
	}
	fmt.Fprintf(c.stdout, "%s %s of %s once more to the cache, where it holds no newer version:\n", verb, replay.DescribeRows(p.IDs), p.Entity)
	for _, s := range p.Spans {
		fmt.Fprintf(c.stdout, "  %s partition %d from offset %d to %d", s.Topic, s.Partition, s.At, s.End)
		if s.Note != "" {
			fmt.Fprintf(c.stdout, " (%s)", s.Note)
		}
		fmt.Fprintln(c.stdout)
	}
}

// concludeReplay says what was done.
func concludeReplay(p replay.Report, ids schema.IDRange) string {
	var end strings.Builder
	fmt.Fprintf(&end, "%d records read, %d of %s: ", p.Read, p.Chosen, replay.DescribeRows(ids))
	if p.DryRun {
		fmt.Fprintf(&end, "%d rows would be written, %d records are no newer than the cache; nothing was done", p.Would, p.Stale)
	} else {
		fmt.Fprintf(&end, "%d rows inserted, %d updated, %d deleted; %d changed nothing, %d are no newer than the cache or than another",
			p.Inserted, p.Updated, p.Deleted, p.Unchanged, p.Stale+p.Superseded)
	}
	if n := p.Unreadable + p.Refused; n > 0 {
		fmt.Fprintf(&end, "; %d could not be applied", n)
	}
	return end.String()
}

// rows returns the rows that --key and --ids select.
func (f *replayFlags) rows() (schema.IDRange, error) {
	switch {
	case f.id != "" && f.ids != "":
		return schema.IDRange{}, fmt.Errorf("%w: --key or --ids, not both", errUsage)
	case f.id != "":
		text := f.id
		if entity, id, ok := splitRow(text); ok && entity == f.entity {
			text = id // as in keys: Sag:98765
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return schema.IDRange{}, fmt.Errorf("%w: --key is %q, want the id of a row of %s", errUsage, f.id, f.entity)
		}
		return schema.OneID(id), nil
	case f.ids != "":
		left, right, _ := strings.Cut(f.ids, "..")
		first, err := strconv.ParseInt(left, 10, 64)
		last, err2 := strconv.ParseInt(right, 10, 64)
		if err != nil || err2 != nil || last < first {
			return schema.IDRange{}, fmt.Errorf("%w: --ids is %q, want FIRST..LAST such as 100..200", errUsage, f.ids)
		}
		return schema.IDRange{Low: first - 1, High: last}, nil
	}
	return replay.AllRows(), nil
}

// parsePlace parses start, an offset, a duration before now, or a time.
func parsePlace(name, text string, now time.Time) (replay.Place, error) {
	if text == "start" {
		return replay.Start(), nil
	}
	if offset, err := strconv.ParseInt(text, 10, 64); err == nil && offset >= 0 {
		return replay.AtOffset(offset), nil
	}
	when, err := parseTime(text, now)
	switch {
	case err != nil:
		return replay.Place{}, fmt.Errorf("%w: --%s is %q, want start, an offset from 0, a time before now such as 24h, or a moment such as 2026-11-23T15:00:00Z", errUsage, name, text)
	case when.After(now):
		return replay.Place{}, fmt.Errorf("%w: --%s is %s, which is yet to come", errUsage, name, text)
	}
	return replay.AtTime(when), nil
}
