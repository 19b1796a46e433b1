// Command odastream is the command for people: a trial of everything in one
// process, and what one asks and does about running daemons.
//
// Invariant: it only calls package cli.
package main

import (
	"context"
	"os"

	"odastream/internal/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
