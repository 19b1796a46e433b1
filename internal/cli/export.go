package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"odastream/cache"
	"odastream/export"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

const exportMore = `
It writes the rows that the cache holds, in order of id, as one consistent snapshot. ndjson: one row a line, with the
members of the source (their order can differ, since the cache stores jsonb). csv: the first line has the names of the
members, those that the source describes first; an empty field is null, "" is an empty text. parquet: a column for each
member that the source describes, with its type; stamps are the Danish wall clock, without a zone; the last column,
other_members, has as JSON what fits no column: other members, and values of another type than their column's.

--where selects rows by a condition in the language of the source's $filter, links to other entities included. --as-of
gives the rows as they were; a moment before what HISTORY_KEEP has left is an error.

With --out the file is replaced once the last row is written: it is never there in part. A FIFO or a device is written
directly. While an export runs, Postgres keeps old versions of all rows for it; --within ends one whose reader stalls.

csv: a program that opens the file may take a text that begins with = + - or @ for a formula. The texts are not changed.

--all writes a file of each entity, all as of one moment, and manifest.json: entity, rows, bytes and sha256 of each file, the
schema, the time up to which the entity was complete, and the moment. A dump that was ended goes on with the same command:
the files that are as the manifest says are kept, and the others are written as of the manifest's moment. A row whose change
before that moment the sink applied late is missing in files written earlier. --check compares a dump with its manifest,
and ends with status 1 and the names of what differs. --within is for the whole dump.

The database is that of DATABASE_URL or, if this is not set, that of the running "odastream up".

  odastream export Afstemning --format csv --out afstemning.csv
  odastream export --all dump-2026-11-01 --format parquet && odastream export --check dump-2026-11-01
  odastream export Sag | jq -r .titel
  odastream export Sag --where "typeid eq 3 and opdateringsdato gt datetime'2026-01-01'" --format parquet --out bills.parquet`

// exportFlags are the command line of export.
type exportFlags struct {
	targetFlags
	format, out string
	all, check  string
	where, asOf string
	within      time.Duration
}

func exportCommand() command {
	return command{
		name: "export", args: "[ENTITY]", about: "Write one entity's rows, or all entities', as NDJSON, CSV or Parquet.", more: exportMore,
		flags: func(set *flag.FlagSet) action {
			f := &exportFlags{}
			f.declare(set)
			set.StringVar(&f.format, "format", "ndjson", "`ndjson|csv|parquet`")
			set.StringVar(&f.all, "all", "", "write a dump of all entities into this `directory`, or go on with one")
			set.StringVar(&f.check, "check", "", "prove that the dump in this `directory` is whole")
			set.StringVar(&f.where, "where", "", "only the rows for which this `condition` holds, in the language of $filter")
			set.StringVar(&f.asOf, "as-of", "", "the rows as they were at this `moment`: 2026-11-01T12:00:00Z, or a date, which begins in Denmark")
			set.StringVar(&f.out, "out", "", "write to this `file` instead of standard output")
			set.DurationVar(&f.within, "within", time.Hour, "end without success after this `time`")
			return f.run
		},
	}
}

func (f *exportFlags) run(ctx context.Context, c call) error {
	if err := f.exclusive(c.args); err != nil {
		return err
	}
	if f.check != "" {
		return f.checkAll(c)
	}
	entity := schema.Entities()[0] // of a dump, the condition and the moment are checked with any
	if len(c.args) > 0 {
		var err error
		if entity, err = entityOf(c.args[0]); err != nil {
			return err
		}
	}
	format, err := export.ParseFormat(f.format)
	if err != nil {
		return fmt.Errorf("%w: --format: %w", errUsage, err)
	}
	request, err := export.Select(entity, f.where, f.asOf)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.within <= 0 {
		return fmt.Errorf("%w: --within is %s, want more than 0s", errUsage, f.within)
	}
	to, err := f.resolve(c.environ)
	if err != nil {
		return err
	}
	// An interrupted export is incomplete, so it fails.
	end := errors.New("stopped before the last row was written")
	err = c.untilStopped(ctx, c.log(slog.LevelWarn), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, f.within, fmt.Errorf("the rows were not all written within %s: a faster reader, or a longer --within", f.within))
		defer cancel()
		if f.all != "" {
			end = f.writeAll(ctx, c, to, f.dump(format, request))
		} else {
			end = f.export(ctx, c, to, request, format)
		}
		return nil
	})
	return errors.Join(err, end)
}

func (f *exportFlags) export(ctx context.Context, c call, to target, request *odata.Request, format export.Format) error {
	var rows int64
	write := func(w io.Writer) error {
		pool, err := to.pool(ctx, nil)
		if err != nil {
			return err
		}
		defer pool.Close()
		rows, err = export.Write(ctx, export.Copy{Rows: cache.NewReader(pool), Requests: query.NewReader(pool)}, request, format, w)
		return err
	}
	var err error
	if f.out == "" {
		err = write(c.rawOut)
	} else {
		err = export.WriteFile(f.out, write)
	}
	if err == nil {
		fmt.Fprintf(c.stderr, "%d rows of %s\n", rows, request.Entity.Name)
	}
	return err
}
