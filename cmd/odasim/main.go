// Command odasim serves a simulated parliament: the open data of oda.ft.dk with
// rows from captures or from a seed, and every unpleasant thing at the turn of a
// knob. It keeps nothing: each start is the same parliament again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"odastream/odasim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx ends. It returns the exit status: 0 stopped, 1 fault, 2
// bad flags.
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

// serve fills the parliament and answers until ctx ends.
func serve(ctx context.Context, f flags, stdout, stderr io.Writer) error {
	sim, err := f.parliament()
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", f.addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -addr", err)
	}
	routes := http.NewServeMux()
	routes.Handle("/", sim)
	routes.Handle(odasim.ControlRoot+"/", sim.Control())
	server := &http.Server{Handler: routes, ReadHeaderTimeout: time.Minute}
	fmt.Fprintf(stdout, "odasim: listening on http://%s%s\n", listener.Addr(), odasim.Root)
	if f.live {
		go sim.Live(ctx, odasim.Pace{Every: f.pace, Late: f.late, Log: slog.New(slog.NewTextHandler(stderr, nil))})
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	// Answers that stall would keep an orderly shutdown waiting; nobody's rows
	// depend on one.
	return server.Close()
}
