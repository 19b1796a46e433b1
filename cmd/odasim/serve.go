package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"odastream/odasim"
)

// serve fills the parliament and serves it until ctx ends.
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
	// An orderly shutdown would wait for answers that stall.
	return server.Close()
}
