package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"odastream/cache"
	"odastream/internal/daemon"
	"odastream/internal/settings"
	"odastream/schema"
)

// command is one of odastream's commands.
type command struct {
	name  string
	args  string // as usage shows them: "ENTITY"; each is required unless in brackets
	about string // one line
	more  string // further text of --help
	// flags declares the command's flags and returns the action to run once they are
	// set.
	flags func(*flag.FlagSet) action
}

// action runs a command; its error is for the person who called it.
type action func(ctx context.Context, c call) error

// call is one call of a command.
type call struct {
	args    []string // the arguments of the command line without the flags
	environ []string
	// For people: foreign text that a terminal would obey is replaced.
	stdout, stderr io.Writer
	// For programs, and for Progress, which looks for a terminal: as it is.
	rawOut, rawErr io.Writer
}

// errUsage marks an error of the command line.
var errUsage = errors.New("bad command line")

// start runs the command and returns the exit status.
func (c command) start(ctx context.Context, in call) int {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	do := c.flags(set)
	rest, err := parse(set, in.args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.usage(in.stdout, set)
		return daemon.ExitDone
	case err == nil && !c.takes(len(rest)):
		err = fmt.Errorf("want %s, got %d arguments", strings.TrimSpace("odastream "+c.name+" "+c.args), len(rest))
	}
	if err != nil {
		fmt.Fprintf(in.stderr, "odastream %s: %v\nodastream %s --help shows how it is used\n", c.name, err, c.name)
		return daemon.ExitBadSettings
	}
	in.args = rest
	return status(do(ctx, in), c.name, in.stderr)
}

// takes reports whether the command takes n arguments.
func (c command) takes(n int) bool {
	most := len(strings.Fields(c.args))
	return n <= most && n >= most-strings.Count(c.args, "[")
}

// statusError is the exit status after a second signal, or if stopping takes too long.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// noTables is the message for a database that was never migrated.
const noTables = "the database has no tables of odastream: start a poller or a sink on it, or run odastream migrate"

// status prints an action's error and returns the exit status.
func status(err error, name string, stderr io.Writer) int {
	var bad *settings.Error
	var said statusError
	switch {
	case err == nil:
		return daemon.ExitDone
	case errors.As(err, &said):
		return int(said)
	case errors.As(err, &bad):
		fmt.Fprintf(stderr, "odastream %s: bad settings:\n%v\n", name, bad)
		return daemon.ExitBadSettings
	case cache.IsMissingTable(err):
		fmt.Fprintf(stderr, "odastream %s: %s\n", name, noTables)
		return daemon.ExitFault
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "odastream %s: %v\n", name, err)
		return daemon.ExitBadSettings
	default:
		fmt.Fprintf(stderr, "odastream %s: %v\n", name, err)
		return daemon.ExitFault
	}
}

// untilStopped runs work until the first signal, which is not an error.
func (c call) untilStopped(ctx context.Context, log *slog.Logger, work func(context.Context) error) error {
	var failed error
	code := daemon.UntilStopped(ctx, log, func(ctx context.Context) int {
		if err := work(ctx); ctx.Err() == nil {
			failed = err
		}
		return daemon.ExitDone
	})
	if code != daemon.ExitDone {
		return statusError(code)
	}
	return failed
}

// entityOf looks up an entity that the command line names.
func entityOf(name string) (schema.Entity, error) {
	entity, err := schema.Lookup(name)
	if err != nil {
		return entity, fmt.Errorf("%w: %w", errUsage, err)
	}
	return entity, nil
}

// parse accepts flags before, between and after the arguments: package flag stops at
// the first argument.
func parse(set *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		if args = set.Args(); len(args) == 0 {
			return rest, nil
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}

const overviewText = `odastream copies the open data of the Danish parliament (oda.ft.dk): it publishes every change to a Kafka topic, and
keeps a complete copy in Postgres.

A first use, without any service or account:

  odastream up                   run everything in this process; it prints how to query the data
  odastream tail Sag             in another terminal: print the cases that change
  odastream status               show how far each entity is

Commands:
`

// overview is what --help prints.
func overview(w io.Writer) {
	fmt.Fprint(w, overviewText)
	table := tabwriter.NewWriter(w, 2, 0, 3, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace(c.name+" "+c.args), c.about)
	}
	_ = table.Flush() // to a terminal or a buffer
	fmt.Fprint(w, `
odastream COMMAND --help describes a command; odastream version prints the version. The daemons are the programs poller,
sink and gateway; environment variables configure them: poller --help, sink --help, gateway --help.
Exit status: 0 done or stopped, 1 fault, 2 bad command line or settings, 130 ended by a second Ctrl-C.
`)
}

// usage is what COMMAND --help prints.
func (c command) usage(w io.Writer, set *flag.FlagSet) {
	fmt.Fprintf(w, "%s\n\nUsage: %s\n", c.about, strings.Join(strings.Fields("odastream "+c.name+" "+c.args+" [flags]"), " "))
	table := tabwriter.NewWriter(w, 2, 0, 3, ' ', 0)
	set.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace("--"+f.Name+" "+value), text)
	})
	_ = table.Flush() // to a terminal or a buffer
	if c.more != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.more))
	}
}
