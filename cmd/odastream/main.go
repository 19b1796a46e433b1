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

	"odastream/internal/daemon"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// commands are in the order in which --help shows them.
func commands() []command {
	return []command{
		upCommand(),
		statusCommand(),
		tailCommand(),
		doctorCommand(),
		verifyCommand(),
		scanCommand(),
		explainCommand(),
		migrateCommand(),
	}
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
		if c.name == name {
			return c.start(ctx, call{args: args[1:], environ: environ, stdout: stdout, stderr: stderr})
		}
	}
	fmt.Fprintf(stderr, "odastream: there is no command %q: odastream --help shows what there is\n", name)
	return daemon.ExitBadSettings
}
