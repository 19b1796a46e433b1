// Command odastream is the command for people: a trial of everything in one
// process, and what one asks and does about running daemons.
//
// It wires packages together; a file here is one of its commands.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"odastream/internal/daemon"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

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

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
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
			return c.start(ctx, call{args: rest, environ: environ, stdout: stdout, stderr: stderr})
		}
	}
	if name == "dlq" {
		fmt.Fprintln(stderr, "odastream dlq: want list, show, retry or discard; each has --help")
		return daemon.ExitBadSettings
	}
	fmt.Fprintf(stderr, "odastream: there is no command %q: odastream --help shows what there is\n", name)
	return daemon.ExitBadSettings
}

// called says whether args call c, whose name is of one word or two, and gives
// those behind the name.
func (c command) called(args []string) (rest []string, ok bool) {
	words := strings.Fields(c.name)
	if len(args) < len(words) || !slices.Equal(args[:len(words)], words) {
		return nil, false
	}
	return args[len(words):], true
}
