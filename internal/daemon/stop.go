package daemon

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopWithin is the time from the first signal to the end of the program.
const stopWithin = 10 * time.Second

// UntilStopped calls work and returns its exit status. The first SIGTERM or SIGINT ends
// the context of work. If work has not returned 10 s later, UntilStopped returns
// ExitFault, and at a second signal ExitKilled at once. Work then still runs, and the
// caller must exit.
func UntilStopped(ctx context.Context, log *slog.Logger, work func(ctx context.Context) int) int {
	signals, release := notify()
	defer release()
	return untilStopped(ctx, log, signals, work)
}

// notify returns the signals that stop a program.
func notify() (signals <-chan os.Signal, release func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT)
	return c, func() { signal.Stop(c) }
}

func untilStopped(ctx context.Context, log *slog.Logger, signals <-chan os.Signal, work func(ctx context.Context) int) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- work(ctx) }()

	select {
	case status := <-done:
		return status
	case s := <-signals:
		log.Info("stopping", "signal", s.String(), "within", stopWithin.String())
	case <-ctx.Done():
		log.Info("stopping", "within", stopWithin.String())
	}
	cancel()
	late := time.NewTimer(stopWithin)
	defer late.Stop()
	select {
	case status := <-done:
		return status
	case <-signals:
		log.Warn("ended at once by a second signal")
		return ExitKilled
	case <-late.C:
		log.Error("not stopped in time: ended", "within", stopWithin.String())
		return ExitFault
	}
}
