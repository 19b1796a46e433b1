package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"odastream/internal/settings"
)

const (
	stopWithin   = 10 * time.Second // from the first signal to the end of the program
	retryFirst   = time.Second      // before the second try of Start
	retryLongest = 30 * time.Second
)

// runner takes one program from its settings to its end.
type runner struct {
	program Program
	once    bool
	log     *slog.Logger
	stdout  io.Writer
	stderr  io.Writer
}

// untilStopped runs the program beside the signals.
func (r runner) untilStopped(ctx context.Context, signals <-chan os.Signal) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- r.run(ctx) }()

	select {
	case status := <-done:
		return status
	case s := <-signals:
		r.log.Info("stopping", "signal", s.String(), "within", stopWithin.String())
	case <-ctx.Done():
		r.log.Info("stopping", "within", stopWithin.String())
	}
	cancel()
	late := time.NewTimer(stopWithin)
	defer late.Stop()
	select {
	case status := <-done:
		return status
	case <-signals:
		r.log.Warn("ended at once by a second signal")
		return ExitKilled
	case <-late.C:
		r.log.Error("not stopped in time: ended", "within", stopWithin.String())
		return ExitFault
	}
}

// run serves, starts and runs the program, and gives its exit status.
func (r runner) run(ctx context.Context) int {
	r.log.Info("starting", "version", Version(), "once", r.once)
	srv, err := r.serve(ctx)
	if err != nil {
		r.log.Error("cannot serve HTTP", "err", err)
		return ExitFault
	}
	defer srv.close()

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

// start calls Start until it works. An outage at the start is no fault of a
// daemon: it waits for its database and its broker.
func (r runner) start(ctx context.Context, srv *server) (Job, error) {
	for pause := retryFirst; ; pause = min(2*pause, retryLongest) {
		registry := newRegistry()
		job, err := r.program.Start(ctx, Env{Log: r.log, Registry: registry, Once: r.once, Stdout: r.stdout, Stderr: r.stderr})
		if err == nil {
			srv.started(job, registry)
			return job, nil
		}
		if r.once || ctx.Err() != nil || hopeless(err) {
			return Job{}, err
		}
		wait := pause/2 + rand.N(pause/2)
		srv.waiting(err)
		r.log.Warn("not started yet, trying again", "err", err, "in", wait.Round(time.Millisecond).String())
		if !sleep(ctx, wait) {
			return Job{}, ctx.Err()
		}
	}
}

func hopeless(err error) bool {
	var bad *settings.Error
	var never permanent
	return errors.As(err, &bad) || errors.As(err, &never)
}

// sleep waits for d; false: ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
