package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"odastream/dlq"
	"odastream/internal/daemon"
)

const dlqRetryMore = dlqMore + `
It applies open dead letters to the cache, by the rules of the sink: a record never replaces a newer version of its key, and
a dead letter that is older than the cache becomes superseded. It writes no topic. A record that fails again stays open,
with the new error. CACHE_TTL and the other variables apply as for the sink.

Exit status 1 if a record could not be applied. An outage of Postgres or Kafka ends the command; what was applied is kept.`

// dlqRetryFlags are the command line of dlq retry.
type dlqRetryFlags struct {
	dlqFlags
	filter dlqFilter
	dry    bool
	canary int
	rate   float64
}

func dlqRetryCommand() command {
	return command{
		name: "dlq retry", about: "Apply dead letters to the cache once more.", more: dlqRetryMore,
		flags: func(set *flag.FlagSet) action {
			f := &dlqRetryFlags{}
			f.declare(set)
			f.filter.declareAll(set)
			set.BoolVar(&f.dry, "dry-run", false, "print what would be done, and do nothing")
			set.IntVar(&f.canary, "canary", 0, "stop if any of the first `N` cannot be applied")
			set.Float64Var(&f.rate, "rate", 100, "`records` a second; 0: no limit")
			return f.run
		},
	}
}

func (f *dlqRetryFlags) run(ctx context.Context, c call) error {
	filter, err := f.filter.parse()
	switch {
	case err != nil:
		return err
	case f.canary < 0:
		return fmt.Errorf("%w: --canary is %d, want 0 or more", errUsage, f.canary)
	case !(f.rate >= 0): // also refuses NaN
		return fmt.Errorf("%w: --rate is %v, want 0 or more", errUsage, f.rate)
	}
	return f.open(ctx, c, func(ctx context.Context, q *dlq.Queue) error {
		letters, err := q.Retryable(ctx, filter, f.dry)
		if err != nil {
			return err
		}
		f.announce(c, len(letters))
		totals, err := q.Retry(ctx, letters, dlq.Options{
			DryRun: f.dry, Canary: f.canary, Rate: f.rate, Each: func(r dlq.Result) error { return f.print(c, r) },
		})
		if errors.Is(err, dlq.ErrCanary) {
			return fmt.Errorf("%w (--canary)", err)
		}
		if err != nil {
			return err
		}
		return f.conclude(c, totals)
	})
}

func (f *dlqRetryFlags) announce(c call, letters int) {
	switch {
	case f.json:
	case f.dry:
		fmt.Fprintf(c.stdout, "nothing is changed; of %d dead letters:\n", letters)
	default:
		fmt.Fprintf(c.stdout, "applying %d dead letters to the cache, where it holds no newer version of the key:\n", letters)
	}
}

func (f *dlqRetryFlags) print(c call, r dlq.Result) error {
	if f.json {
		return c.printLine(r)
	}
	text := fmt.Sprintf("%s  %s  %s", r.ID, r.Key, r.Outcome)
	if r.Error != "" {
		text += ": " + oneLine(r.Error)
	}
	return c.printf("%s\n", text)
}

func (f *dlqRetryFlags) conclude(c call, t dlq.Totals) error {
	if !f.json {
		fmt.Fprintf(c.stdout, "%d retried, %d superseded, %d stay open\n", t.Retried, t.Superseded, t.Open)
	}
	if t.Open > 0 && !f.dry {
		return statusError(daemon.ExitFault)
	}
	return nil
}
