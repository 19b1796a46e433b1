package apply

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"odastream/internal/pause"
	"odastream/schema"
)

func TestARevokeWaitsForTheRunningTransactionUpToALimit(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		transaction time.Duration
		waits       time.Duration
	}{
		"none in flight": {0, 0},
		"a short one":    {time.Second, time.Second},
		"a long one":     {time.Hour, 5 * time.Second},
	}
	for claim, c := range cases {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &Sink{writing: make(chan struct{}, 1), handover: handoverTime, state: newState(), log: slog.New(slog.DiscardHandler)}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.transaction > 0 {
					s.writing <- struct{}{}
					go func() {
						_ = pause.For(ctx, c.transaction)
						<-s.writing
					}()
				}
				start := time.Now()
				s.revoked(ctx, []schema.TopicPartition{{Topic: "a"}})
				if got := time.Since(start); got != c.waits {
					t.Errorf("hand-over took %s, want %s", got, c.waits)
				}
			})
		})
	}
}

func TestOutliveEndsSomeTimeAfterItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		late, done := outlive(ctx, 8*time.Second)
		defer done()
		cancel()
		start := time.Now()
		<-late.Done()
		if got := time.Since(start); got != 8*time.Second {
			t.Errorf("the late context ended after %s, want 8s", got)
		}
	})
}

func TestPausedTopicsWaitForTheirNextTry(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := pausedTopics{{name: "a", next: now.Add(3 * time.Second)}, {name: "b", next: now.Add(time.Second)}}
	if got := p.due(now); got != time.Second {
		t.Errorf("due = %s, want 1s", got)
	}
	if got := p.due(now.Add(time.Minute)); got != 0 {
		t.Errorf("due when late = %s, want 0s", got)
	}
	if got := pausedTopics(nil).due(now); got != time.Hour {
		t.Errorf("due with nothing paused = %s, want an hour", got)
	}
	if p.find("b") != p[1] || p.find("c") != nil {
		t.Error("find does not find by name")
	}
}

func TestStateTellsTheFirstErrorOfAnOutageFromTheNext(t *testing.T) {
	t.Parallel()
	s := newState()
	if s.attempted(nil) || s.outageTime() != 0 {
		t.Error("an outage before the first error")
	}
	if !s.attempted(context.DeadlineExceeded) || s.attempted(context.DeadlineExceeded) {
		t.Error("attempted does not tell the first error from the next")
	}
	if _, err := s.trouble(); err == nil {
		t.Error("no trouble during an outage")
	}
	if !s.attempted(nil) {
		t.Error("attempted does not tell the end of an outage")
	}
	if _, err := s.trouble(); err != nil {
		t.Errorf("trouble after the outage = %v", err)
	}
}
