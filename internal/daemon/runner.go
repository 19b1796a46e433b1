package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"odastream/internal/pause"
	"odastream/internal/settings"
)

const (
	retryFirst   = time.Second // before the second try of Start
	retryLongest = 30 * time.Second
)

// runner runs one program from its settings to its end.
type runner struct {
	program Program
	once    bool
	secrets []string // hidden in what is served
	log     *slog.Logger
	stdout  io.Writer
	stderr  io.Writer
}

// run serves, starts and runs the program, and returns its exit status.
func (r runner) run(ctx context.Context) int {
	r.log.Info("starting", "version", Version(), "once", r.once)
	srv, err := r.serve(ctx)
	if err != nil {
		r.log.Error("cannot serve HTTP", "err", err)
		if !r.once { // a single run serves nothing, so it needs no port
			return ExitFault
		}
	}
	defer srv.close(ctx)

	job, err := r.start(ctx, srv)
	if err != nil {
		return r.startFailed(ctx, err)
	}
	err = job.Run(ctx)
	srv.stopping()
	if job.Close != nil {
		job.Close()
	}
	switch {
	case err == nil, ctx.Err() != nil && errors.Is(err, context.Canceled):
		r.log.Info("stopped")
		return ExitDone
	default:
		r.log.Error("ended by a fault", "err", err)
		return ExitFault
	}
}

func (r runner) startFailed(ctx context.Context, err error) int {
	var bad *settings.Error
	switch {
	case errors.As(err, &bad):
		return badSettings(r.program, bad, r.stderr)
	case ctx.Err() != nil && !r.once:
		r.log.Info("stopped before it had started")
		return ExitDone
	default:
		r.log.Error("cannot start", "err", err)
		return ExitFault
	}
}

// start calls Start until it works. An outage at the start does not end a daemon: it
// waits for its database and its broker.
func (r runner) start(ctx context.Context, srv *server) (Job, error) {
	for most := retryFirst; ; most = min(2*most, retryLongest) {
		registry := newRegistry()
		job, err := r.program.Start(ctx, Env{Log: r.log, Registry: registry, Once: r.once, Stdout: r.stdout, Stderr: r.stderr})
		if err == nil {
			srv.started(job, registry)
			return job, nil
		}
		if r.once || ctx.Err() != nil || hopeless(err) {
			return Job{}, err
		}
		wait := most/2 + rand.N(most/2)
		srv.waiting(err)
		r.log.Warn("not started yet, trying again", "err", err, "in", wait.Round(time.Millisecond).String())
		if pause.For(ctx, wait) != nil {
			return Job{}, ctx.Err()
		}
	}
}

func hopeless(err error) bool {
	var bad *settings.Error
	var never permanent
	return errors.As(err, &bad) || errors.As(err, &never)
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
