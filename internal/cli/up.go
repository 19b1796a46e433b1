package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"odastream/internal/console"
	"odastream/internal/daemon"
	"odastream/internal/trial"
)

const upMore = `
It needs no service, account or container. It starts a Postgres from the programs that are installed on this machine, keeps
the topics in a fake Kafka within the process, and stores both in its state directory. The first start loads all rows (about
12 hours from the live API, usable from the first minute; seconds from the simulated parliament). After that it prints a
line for each change. Ctrl-C stops it, and the next start continues there.

To start again from nothing, stop it and remove the state directory. The variables of poller and sink apply here too (ODA_RATE,
ODA_CONTACT, POLL_INTERVAL, SCAN_EVERY, …: poller --help, sink --help), except those that name Kafka and Postgres.`

// upFlags are the command line of up.
type upFlags struct {
	source string
	cfg    trial.Config
}

func upCommand() command {
	return command{
		name: "up", about: "Run everything in one process, to try it: source, topics, tables.", more: upMore,
		flags: func(set *flag.FlagSet) action {
			f := &upFlags{}
			f.declare(set)
			return f.run
		},
	}
}

func (f *upFlags) declare(set *flag.FlagSet) {
	set.StringVar(&f.source, "source", "live", "`live|sim`: the API at oda.ft.dk, or a simulated parliament with invented rows")
	set.StringVar(&f.cfg.Dir, "dir", "", "`directory` for the state; default: one of the user, which the start prints")
	set.Func("entities", "comma-separated `names`: follow these entity sets only", func(text string) error {
		return f.cfg.Entities.UnmarshalText([]byte(text))
	})
	set.Func("seed", "`number` from which the simulated parliament is generated; default: 1, or that of the existing one", func(text string) error {
		seed, err := strconv.ParseUint(text, 10, 64)
		f.cfg.Seed = &seed
		return err
	})
	set.Func("scale", "`size` of the simulated parliament, 1 is about 20,000 rows; default: 1, or that of the existing one", func(text string) error {
		scale, err := strconv.ParseFloat(text, 64)
		f.cfg.Scale = &scale
		if err == nil && !(scale >= 0 && scale <= 100) {
			return errors.New("want 0 to 100")
		}
		return err
	})
	set.DurationVar(&f.cfg.Pace, "pace", time.Second, "time between two events in the simulated parliament")
}

// run starts the trial and stops it at the first signal.
func (f *upFlags) run(ctx context.Context, c call) (err error) {
	if err := f.check(c); err != nil {
		return err
	}
	say := newScreen(c)
	code := daemon.UntilStopped(ctx, say.log(slog.LevelInfo), func(ctx context.Context) int {
		err := trial.Run(ctx, f.cfg, say, say.log(slog.LevelWarn))
		if err == nil {
			say.Println("stopped")
		}
		return status(err, "up", c.stderr)
	})
	if code != daemon.ExitDone {
		return statusError(code)
	}
	return nil
}

// check checks what package flag cannot.
func (f *upFlags) check(c call) error {
	if f.source != "live" && f.source != "sim" {
		return fmt.Errorf("%w: --source is %s, want live or sim; ODA_URL names another source", errUsage, shown(f.source))
	}
	if f.cfg.Pace <= 0 {
		return fmt.Errorf("%w: --pace is %s, want above 0s", errUsage, f.cfg.Pace)
	}
	f.cfg.Simulated, f.cfg.Environ = f.source == "sim", c.environ
	if f.cfg.Dir == "" {
		dir, err := trial.DefaultDir()
		if err != nil {
			return fmt.Errorf("%w (--dir chooses one)", err)
		}
		f.cfg.Dir = dir
	}
	return f.cfg.Check()
}

// screen is the terminal, or what stdout is instead.
type screen struct {
	*console.Progress
	warn func(line string) // prints a warning
}

// newScreen returns a screen. If stdout is a terminal, it shows progress as a line that
// it rewrites, and prints warnings there too, since on stderr they would break that
// line.
func newScreen(c call) screen {
	var s screen
	lines := console.NewHandler(func(line string) { fmt.Fprintln(c.stdout, line) }, slog.LevelInfo)
	s.Progress = console.NewProgress(c.rawOut, slog.New(lines))
	s.warn = func(line string) { fmt.Fprintln(c.stderr, line) }
	if f, ok := c.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.warn = s.Println
	}
	return s
}

// log returns a logger for people.
func (s screen) log(level slog.Level) *slog.Logger {
	return slog.New(console.NewHandler(s.warn, level))
}

// shown returns a value as an error quotes it. An address is not quoted, since it can
// hold a password.
func shown(value string) string {
	if strings.ContainsAny(value, "@/") {
		return "an address"
	}
	return strconv.Quote(value)
}
