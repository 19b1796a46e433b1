package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/connect"
	"odastream/internal/console"
	"odastream/internal/daemon"
	"odastream/internal/settings"
	"odastream/internal/wiring"
	"odastream/oda"
	"odastream/verify"
)

const verifyMore = `
It compares each entity at the source (ODA_URL, ODA_ENTITIES) with the poller's ledger and the cache in the database
(DATABASE_URL), or where these are not set with those of the running "odastream up". Rows are counted by ranges of ids,
which are read where the numbers differ, and some windows are compared row by row; --full compares every row, a request
for each 100, at ODA_RATE requests a second.

Rows are the same if their content is, without the stamp opdateringsdato. The cache holds jsonb, which forgets the order
of members, all but the last of two with one name, and how a number is spelled (1e2, 1.50, -0.0): no difference there.

What seems to differ is looked at again until --wait is over, and what changed meanwhile is not counted. Exit status 0:
no difference; 1: any difference, or an entity that could not be verified; 2: bad command line or settings.`

// verification is the command line and the settings of verify.
type verification struct {
	place
	full, json bool
	sample     int
	wait       time.Duration
	entities   string
}

func verifyCommand() command {
	return command{
		name: "verify", about: "Prove that every row at the source is in the ledger and in the cache.", more: verifyMore,
		flags: func(set *flag.FlagSet) action {
			f := &verification{}
			f.declare(set)
			set.BoolVar(&f.full, "full", false, "compare every row by its content")
			set.IntVar(&f.sample, "sample", 5, "without --full: `windows` of 100 rows to compare, at random ids of each entity; 0: none")
			set.DurationVar(&f.wait, "wait", 10*time.Second, "how `long` a suspected difference is looked at again, 1ms to 1h")
			set.StringVar(&f.entities, "entities", "", "verify these `names` only, comma-separated; default ODA_ENTITIES")
			set.BoolVar(&f.json, "json", false, "print the report as one JSON object")
			return f.run
		},
	}
}

func (f *verification) run(ctx context.Context, c call) error {
	switch {
	case f.sample < 0 || f.sample > 100_000:
		return fmt.Errorf("%w: --sample is %d, want 0 to 100000", errUsage, f.sample)
	case f.wait < time.Millisecond || f.wait > time.Hour:
		return fmt.Errorf("%w: --wait is %s, want 1ms to 1h", errUsage, f.wait)
	}
	if err := f.read(c.environ); err != nil {
		return err
	}
	if f.entities != "" {
		f.set.Entities = nil
		if err := f.set.Entities.UnmarshalText([]byte(f.entities)); err != nil {
			return fmt.Errorf("%w: --entities: %w", errUsage, err)
		}
	}
	log := slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, slog.LevelInfo))
	return untilStopped(ctx, log, func(ctx context.Context) error { return f.verify(ctx, c, log) })
}

func (f *verification) verify(ctx context.Context, c call, log *slog.Logger) error {
	v, closeAll, err := f.verifier(ctx, log)
	if err != nil {
		return err
	}
	defer closeAll()
	line := console.NewProgress(c.stderr, log)
	report, err := v.Verify(ctx, f.set.Entities.OrDefault(), verify.Options{
		Full: f.full, Sample: f.sample, Patience: f.wait, Workers: f.set.Source.Concurrency, Progress: line.Set,
	})
	if err != nil {
		return err
	}
	line.Done(fmt.Sprintf("%d entities verified", len(report.Entities)))
	if f.json {
		err = printObject(c.stdout, report)
	} else {
		err = report.WriteText(c.stdout)
	}
	if err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	if !report.OK {
		return statusError(daemon.ExitFault)
	}
	return nil
}

// place is where source and database are: as the daemons' variables say, or where
// they are silent, at the running trial.
type place struct {
	target
	set placeSettings
}

type placeSettings struct {
	DatabaseURL string          `env:"DATABASE_URL" secret:"true"`
	Source      oda.Config      `envPrefix:"ODA_"`
	Entities    wiring.Entities `env:"ODA_ENTITIES"`
}

func (p *place) read(environ []string) error {
	if err := settings.Parse(environ, &p.set); err != nil {
		return err
	}
	if trial, ok := p.running(environ); ok {
		p.set.DatabaseURL, p.set.Source.URL = trial.DatabaseURL, trial.Source
	}
	if p.set.DatabaseURL == "" {
		return errors.New("DATABASE_URL is not set, and no \"odastream up\" runs here: set it, start one, or name its directory with --dir")
	}
	return nil
}

// pool opens the database. Counting an entity takes as long as it takes.
func (p *place) pool(ctx context.Context) (*pgxpool.Pool, error) {
	return connect.Postgres(ctx, p.set.DatabaseURL, func(cfg *pgxpool.Config) {
		cfg.ConnConfig.RuntimeParams["application_name"] = "odastream"
	})
}

// verifier opens source and database; closeAll gives them up.
func (p *place) verifier(ctx context.Context, log *slog.Logger) (v *verify.Verifier, closeAll func(), err error) {
	client, err := oda.New(p.set.Source, log, nil)
	if err != nil {
		return nil, nil, err
	}
	pool, err := p.pool(ctx)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return verify.New(client, pool, log), func() { client.Close(); pool.Close() }, nil
}

// printObject prints one JSON object for programs.
func printObject(w io.Writer, what any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(what)
}

// splitRow reads ENTITY/ID, or ENTITY:ID as keys are written.
func splitRow(text string) (entity, id string, ok bool) {
	at := strings.LastIndexAny(text, "/:")
	if at < 1 {
		return "", "", false
	}
	return text[:at], text[at+1:], true
}
