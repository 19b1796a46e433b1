// Command odasim serves a simulated parliament: the open data of oda.ft.dk with
// rows from captures or from a seed, and a flag for each fault of the service.
//
// Invariant: it stores nothing, so each start with the same flags serves the same
// parliament.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx ends. It returns the exit status: 0 if it was stopped, 1 for a
// fault, 2 for bad flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parseFlags(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "odasim: bad flags:\n%s\n", err)
		return 2
	}
	if err := serve(ctx, f, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "odasim: %s\n", err)
		return 1
	}
	return 0
}
