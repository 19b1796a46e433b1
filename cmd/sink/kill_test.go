package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
)

// start runs the sink's binary; it is killed with the test at the latest.
func (r *rig) start(t *testing.T, args ...string) *program.Process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sink", args...)
	cmd.Env = append(os.Environ(), append(r.environ(), "SINK_BATCH_ROWS=23", "LOG_FORMAT=text")...)
	return program.Start(t, "sink", cmd)
}

// killAfter starts the sink, kills it once it has applied so and so many further
// records, and returns what the cache held at several moments, the last one after
// the kill.
func (r *rig) killAfter(ctx context.Context, t *testing.T, further int64, args ...string) (seen []snapshot) {
	t.Helper()
	now, err := r.snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	goal := now.at.sum() + further
	wait := machine.Wait{
		For:      fmt.Sprintf("%d records to be applied", goal),
		Progress: func() any { return now.at.sum() },
		Details:  func() string { return fmt.Sprint("offsets ", now.at) },
	}
	p := r.start(t, args...)
	program.Await(t, wait, func() bool {
		if now, err = r.snapshot(ctx); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, now)
		return now.at.sum() >= goal
	}, p)
	p.Kill(t)
	if now, err = r.snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	return append(seen[max(0, len(seen)-30):], now)
}

// TestAKilledSinkLosesAndRepeatsNothing kills the sink with SIGKILL again and
// again while records are there to apply. What the database holds at any moment
// must be exactly the records before its offsets.
func TestAKilledSinkLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	brokers := map[string]func(t *testing.T) []string{
		"fake": func(t *testing.T) []string { t.Helper(); return kafkatest.Fake(t) },
		"real": func(t *testing.T) []string { t.Helper(); return kafkatest.Real(t) },
	}
	for name, brokers := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			r := newRig(t, brokers(t))
			for round, further := range []int64{1, 24, 100, 7, 300, 2, 50} {
				if err := r.publish(ctx, 500); err != nil {
					t.Fatal(err)
				}
				mode := []string{"--once"}
				if round == 4 {
					mode = nil // as a member of the group
				}
				if err := r.check(ctx, r.killAfter(ctx, t, further, mode...)...); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			p := r.start(t, "--once")
			machine.Until(t, "the end of --once", func() bool { return !p.Running() })
			if err := p.Wait(); err != nil {
				t.Fatalf("--once after the kills: %s", p)
			}
			if err := r.awaitModel(ctx); err != nil {
				t.Error(err)
			}
			var dead int
			if err := r.pool.QueryRow(ctx, "SELECT count(*) FROM dead_letters").Scan(&dead); err != nil || dead > 0 {
				t.Errorf("dead letters = %d, %v, want none", dead, err)
			}
		})
	}
}
