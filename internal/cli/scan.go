package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"odastream/checkpoint"
)

const scanMore = `
The entity's poller starts the scan within half a minute; the tail continues during it. The scan finds edits without a new
stamp, late rows and vanished rows. If more rows vanished than a scan deletes by itself, the deletes are held back until
they are confirmed with --confirm-deletes.

The database is that of DATABASE_URL or, if this is not set, that of the running "odastream up".`

// scanFlags are the command line of scan.
type scanFlags struct {
	targetFlags
	confirm, dry, json bool
}

// scanReport is what scan prints for programs.
type scanReport struct {
	Entity    string  `json:"entity"`
	DryRun    bool    `json:"dryRun"`
	Vanished  []int64 `json:"vanished"`  // ids that scans did not find
	Confirmed int64   `json:"confirmed"` // rows whose delete may be published from now on
}

func scanCommand() command {
	return command{
		name: "scan", args: "ENTITY", about: "Ask the poller to read one entity whole again, now.", more: scanMore,
		flags: func(set *flag.FlagSet) action {
			f := &scanFlags{}
			f.declare(set)
			set.BoolVar(&f.confirm, "confirm-deletes", false, "delete the rows that vanished, however many they are")
			set.BoolVar(&f.dry, "dry-run", false, "print what would be done, and do nothing")
			set.BoolVar(&f.json, "json", false, "print what was done as one JSON object")
			return f.run
		},
	}
}

func (f *scanFlags) run(ctx context.Context, c call) error {
	entity, err := entityOf(c.args[0])
	if err != nil {
		return err
	}
	to, err := f.resolve(c.environ)
	if err != nil {
		return err
	}
	return c.untilStopped(ctx, c.log(slog.LevelWarn), func(ctx context.Context) error {
		pool, err := to.pool(ctx, nil)
		if err != nil {
			return err
		}
		defer pool.Close()
		return f.request(ctx, c, checkpoint.New(pool), entity.Name)
	})
}

func (f *scanFlags) request(ctx context.Context, c call, store *checkpoint.Store, entity string) error {
	at, err := store.Load(ctx, entity)
	if err != nil {
		return err
	}
	missing, err := store.VanishedRows(ctx, entity)
	if err != nil {
		return err
	}
	report := scanReport{Entity: entity, DryRun: f.dry, Vanished: []int64{}}
	for _, m := range missing {
		report.Vanished = append(report.Vanished, m.ID)
	}
	if !f.json {
		f.announce(c, report, at)
	}
	if !f.dry {
		if report.Confirmed, err = store.RequestScan(ctx, entity, f.confirm); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		return c.printObject(report)
	case f.dry:
		return c.printf("nothing was done (--dry-run)\n")
	case f.confirm:
		return c.printf("done: a scan of %s is asked for, %d deletes are confirmed\n", entity, report.Confirmed)
	}
	return c.printf("done: a scan of %s is asked for\n", entity)
}

// mostListed is how many vanished rows are printed.
const mostListed = 10

// announce says what the command is about to do.
func (f *scanFlags) announce(c call, r scanReport, at checkpoint.Checkpoint) {
	out := c.stdout
	switch {
	case at.LoadedAt.IsZero():
		fmt.Fprintf(out, "%s: its first load is not complete, which is a scan already\n", r.Entity)
	case len(at.Ranges) > 0:
		fmt.Fprintf(out, "%s: a scan is under way; the poller is asked for one more behind it\n", r.Entity)
	default:
		fmt.Fprintf(out, "%s: the poller is asked to read it whole, at most half a minute from now\n", r.Entity)
	}
	n := len(r.Vanished)
	if n == 0 {
		fmt.Fprintln(out, "no row is known to have vanished")
		return
	}
	fmt.Fprintf(out, "%d rows were not found by the last scans: %s\n", n, someIDs(r.Entity, r.Vanished[:min(n, mostListed)], n))
	if f.confirm {
		fmt.Fprintln(out, "their deletes may be published, if the scan does not find them again")
	} else {
		fmt.Fprintln(out, "their deletes stay held back unless the scan agrees that they are gone; --confirm-deletes lets them through")
	}
}
