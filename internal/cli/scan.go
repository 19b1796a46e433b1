package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"odastream/checkpoint"
	"odastream/internal/console"
	"odastream/schema"
)

const scanMore = `
The entity's poller reads it whole again: it looks for this wish at most half a minute later, and the tail goes on
meanwhile. The scan finds silent edits, late rows and vanished ones. Where more vanished at once than a scan deletes by
itself, the deletes are held back until --confirm-deletes says that they may be published.

The database is that of DATABASE_URL, or where that is not set that of the running "odastream up".`

// scanRequest is the command line and the settings of scan.
type scanRequest struct {
	place
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
		name: "scan", args: "ENTITY", about: "Have the poller read one entity whole again, now.", more: scanMore,
		flags: func(set *flag.FlagSet) action {
			f := &scanRequest{}
			f.declare(set)
			set.BoolVar(&f.confirm, "confirm-deletes", false, "let the rows that vanished be deleted, however many they are")
			set.BoolVar(&f.dry, "dry-run", false, "say what would be done, and do nothing")
			set.BoolVar(&f.json, "json", false, "print what was done as one JSON object")
			return f.run
		},
	}
}

func (f *scanRequest) run(ctx context.Context, c call) error {
	entity, err := schema.Lookup(c.args[0])
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err := f.read(c.environ); err != nil {
		return err
	}
	log := slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, slog.LevelWarn))
	return untilStopped(ctx, log, func(ctx context.Context) error { return f.request(ctx, c.stdout, entity.Name) })
}

func (f *scanRequest) request(ctx context.Context, out io.Writer, entity string) error {
	pool, err := f.pool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	store := checkpoint.New(pool)
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
		f.announce(out, report, at)
	}
	if !f.dry {
		if report.Confirmed, err = store.RequestScan(ctx, entity, f.confirm); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		return printObject(out, report)
	case f.dry:
		fmt.Fprintln(out, "nothing was done (--dry-run)")
	case f.confirm:
		fmt.Fprintf(out, "done: a scan of %s is asked for, %d deletes are confirmed\n", entity, report.Confirmed)
	default:
		fmt.Fprintf(out, "done: a scan of %s is asked for\n", entity)
	}
	return nil
}

// mostListed is how many vanished rows a person is shown.
const mostListed = 10

// announce says what is about to be done.
func (f *scanRequest) announce(out io.Writer, r scanReport, at checkpoint.Checkpoint) {
	switch {
	case at.LoadedAt.IsZero():
		fmt.Fprintf(out, "%s: its first load is not complete, which is a scan already\n", r.Entity)
	case len(at.Ranges) > 0:
		fmt.Fprintf(out, "%s: a scan is under way; the poller is asked for one more behind it\n", r.Entity)
	default:
		fmt.Fprintf(out, "%s: the poller is asked to read it whole, at most half a minute from now\n", r.Entity)
	}
	if len(r.Vanished) == 0 {
		fmt.Fprintln(out, "no row is known to have vanished")
		return
	}
	var some []string
	for _, id := range r.Vanished[:min(len(r.Vanished), mostListed)] {
		some = append(some, fmt.Sprintf("%s/%d", r.Entity, id))
	}
	if n := len(r.Vanished) - len(some); n > 0 {
		some = append(some, fmt.Sprintf("and %d more", n))
	}
	fmt.Fprintf(out, "%d rows were not found by the last scans: %s\n", len(r.Vanished), strings.Join(some, ", "))
	if f.confirm {
		fmt.Fprintln(out, "their deletes may be published, if the scan does not find them again")
	} else {
		fmt.Fprintln(out, "their deletes stay held back unless the scan agrees that they are gone; --confirm-deletes lets them through")
	}
}
