package cli

import (
	"context"
	"flag"
	"fmt"
	"time"

	"odastream/schema"
)

const replayMore = `
Of an entity it applies records of its topic to the cache once more, while the sink runs, as the sink would: a record
never replaces a newer version of its key, deleted or not, and a row that CACHE_TTL removed stays away. No offset is moved
and no topic written. It brings back rows that the cache has lost. Content that was changed by hand under the topic's own
seq it leaves as it is: "odastream rebuild ENTITY" compares contents.

With --group it applies nothing: it sets the offsets that a consumer group of your own has committed to Kafka, so that the
group reads again from there when it is started next. The group must have no members, and Kafka must still hold what is
asked for. Where the sink's group is belongs to Postgres, and is not set here.

A place is "start" (all that the topic holds), an OFFSET in each partition, or a TIME: 24h ago, or 2026-11-23T15:00:00Z.
Set the variables as for the sink (KAFKA_BROKERS, DATABASE_URL, CACHE_TTL, …; sink --help), or start "odastream up".

  odastream replay Sag --from start --dry-run           count what would be written
  odastream replay Sag --from 24h --key 98765           one row
  odastream replay --group newsroom --to 24h            a group of yours reads the last day again

Exit status 1 if a record could not be applied, or the group's offsets could not be set.`

// replaying is the command line of replay.
type replaying struct {
	letterFlags
	entity    string
	partition int
	dry       bool

	from, id, ids string // what is applied to the cache
	group, to     string // whose offsets are set
}

func replayCommand() command {
	return command{
		name: "replay", args: "[ENTITY]", about: "Apply a topic's records to the cache again, or have a group read them again.", more: replayMore,
		flags: func(set *flag.FlagSet) action {
			f := &replaying{}
			f.declare(set)
			set.StringVar(&f.from, "from", "", "apply the records from this `place`: start|OFFSET|TIME")
			set.StringVar(&f.id, "key", "", "only those of the row with this `id`")
			set.StringVar(&f.ids, "ids", "", "only those of the rows `FIRST..LAST`")
			set.IntVar(&f.partition, "partition", -1, "only this `partition`; -1: all")
			set.StringVar(&f.group, "group", "", "set the offsets of this consumer `group` instead")
			set.StringVar(&f.to, "to", "", "have the group go on from this `place`: start|OFFSET|TIME")
			set.StringVar(&f.entity, "entity", "", "with --group: only the topic of this `entity`; default: all that the group has read")
			set.BoolVar(&f.dry, "dry-run", false, "say what would be done, and do nothing")
			return f.run
		},
	}
}

func (f *replaying) run(ctx context.Context, c call) error {
	if len(c.args) == 1 {
		if f.entity != "" {
			return fmt.Errorf("%w: two entities: %s and --entity %s", errUsage, c.args[0], f.entity)
		}
		f.entity = c.args[0]
	}
	if f.entity != "" {
		entity, err := schema.Lookup(f.entity)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		f.entity = entity.Name
	}
	if f.partition < -1 {
		return fmt.Errorf("%w: --partition is %d, want 0 or more", errUsage, f.partition)
	}
	if f.group != "" {
		return f.runGroup(ctx, c)
	}
	return f.runCache(ctx, c)
}

func (f *replaying) runCache(ctx context.Context, c call) error {
	switch {
	case f.to != "":
		return fmt.Errorf("%w: --to is for --group; a replay to the cache begins --from a place", errUsage)
	case f.entity == "":
		return fmt.Errorf("%w: which entity? odastream replay ENTITY --from start", errUsage)
	case f.from == "":
		return fmt.Errorf("%w: from where? --from start, an offset, or a time such as 24h", errUsage)
	}
	from, err := parseSpot("from", f.from, time.Now())
	if err != nil {
		return err
	}
	rows, err := f.rows()
	if err != nil {
		return err
	}
	return f.open(ctx, c, func(ctx context.Context, b *letterbox) error {
		r := &replay{box: b, out: c.stdout, entity: f.entity, rows: rows, dry: f.dry, json: f.json}
		return r.run(ctx, from, f.partition, c.stderr)
	})
}

func (f *replaying) runGroup(ctx context.Context, c call) error {
	switch {
	case f.from != "" || f.id != "" || f.ids != "":
		return fmt.Errorf("%w: --from, --key and --ids are for a replay to the cache; a --group goes on --to a place", errUsage)
	case f.to == "":
		return fmt.Errorf("%w: to where? --to start, an offset, or a time such as 24h", errUsage)
	}
	to, err := parseSpot("to", f.to, time.Now())
	if err != nil {
		return err
	}
	if to.kind == spotOffset && f.entity == "" {
		return fmt.Errorf("%w: an offset means something in one topic only: name it with --entity", errUsage)
	}
	return f.reset(ctx, c, to)
}
