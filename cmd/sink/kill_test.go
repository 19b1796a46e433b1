package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"odastream/internal/test/kafkatest"
)

// start runs the sink's binary; it is killed with the test at the latest.
func (r *rig) start(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), "sink", args...)
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	cmd.Env = append(os.Environ(), append(r.environ(), "SINK_BATCH_ROWS=23", "LOG_FORMAT=text")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, stderr
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
	cmd, stderr := r.start(t, args...)
	for now.at.sum() < goal {
		if now, err = r.snapshot(ctx); err != nil {
			t.Fatalf("no progress to %d: %v; the sink said:\n%s", goal, err, stderr)
		}
		seen = append(seen, now)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if now, err = r.snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	return append(seen[max(0, len(seen)-30):], now)
}

// TestKilledSinkLosesAndDoublesNothing kills the sink with SIGKILL again and
// again while records are there to apply. What the database holds at any moment
// must be exactly the records before its offsets.
func TestKilledSinkLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	brokers := map[string]func(t *testing.T) []string{
		"fake": func(t *testing.T) []string { t.Helper(); return kafkatest.Fake(t) },
		"real": func(t *testing.T) []string { t.Helper(); return kafkatest.Real(t) },
	}
	for name, brokers := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
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
			cmd, stderr := r.start(t, "--once")
			if err := cmd.Wait(); err != nil {
				t.Fatalf("sink --once after the kills: %v\n%s", err, stderr)
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
