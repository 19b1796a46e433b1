// Package cli is the command odastream: a trial of all programs in one process, and
// commands to inspect and repair what running daemons keep. Each file is one command:
// its flags, the call of an engine, and its output.
//
// Invariant: a command says what it will change before it changes anything, and
// connects only to what it was told to (resolve), or fails.
//
// It knows nothing of how the engines work, or of SQL.
package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"odastream/internal/console"
	"odastream/internal/daemon"
)

// commands are in the order in which --help shows them.
func commands() []command {
	return slices.Concat([]command{
		upCommand(),
		statusCommand(),
		tailCommand(),
		doctorCommand(),
		verifyCommand(),
		scanCommand(),
		explainCommand(),
		rebuildCommand(),
		replayCommand(),
		exportCommand(),
		migrateCommand(),
	}, dlqCommands())
}

// Run runs the command that args name, and returns the exit status. environ holds the
// settings, in the form of os.Environ.
func Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		overview(stderr)
		return daemon.ExitBadSettings
	}
	name := args[0]
	switch name {
	case "help", "--help", "-help", "-h":
		overview(stdout)
		return daemon.ExitDone
	case "version", "--version", "-version":
		fmt.Fprintln(stdout, "odastream", daemon.Version())
		return daemon.ExitDone
	}
	for _, c := range commands() {
		if rest, called := c.called(args); called {
			return c.start(ctx, call{
				args: rest, environ: environ, rawOut: stdout, rawErr: stderr,
				stdout: console.VisibleWriter(stdout), stderr: console.VisibleWriter(stderr),
			})
		}
	}
	if name == "dlq" {
		fmt.Fprintln(stderr, "odastream dlq: want list, show, retry or discard; each has --help")
		return daemon.ExitBadSettings
	}
	fmt.Fprintf(stderr, "odastream: there is no command %q: odastream --help shows what there is\n", name)
	return daemon.ExitBadSettings
}

// called reports whether args call c, whose name has one word or two, and returns the
// arguments after the name.
func (c command) called(args []string) (rest []string, ok bool) {
	words := strings.Fields(c.name)
	if len(args) < len(words) || !slices.Equal(args[:len(words)], words) {
		return nil, false
	}
	return args[len(words):], true
}
