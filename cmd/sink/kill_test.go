package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"odastream/internal/kafkatest"
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

// progress is the sum of the stored offsets; 0 while there is no table yet.
func (r *rig) progress(ctx context.Context) (sum int64) {
	if r.pool.QueryRow(ctx, "SELECT COALESCE(sum(next_offset), 0) FROM sink_offsets").Scan(&sum) != nil {
		return 0
	}
	return sum
}

// TestKilledSinkLosesAndDoublesNothing kills the sink with SIGKILL again and
// again, after so and so many further records, while more of them arrive. What
// the database holds then must be exactly the records before its offsets.
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
				if err := r.publish(ctx, 400); err != nil {
					t.Fatal(err)
				}
				mode := []string{"--once"}
				if round == 4 {
					mode = nil // as a member of the group
				}
				before := r.progress(ctx)
				cmd, stderr := r.start(t, mode...)
				for r.progress(ctx) < before+further {
					if ctx.Err() != nil || cmd.ProcessState != nil {
						t.Fatalf("round %d: no progress beyond %d; the sink said:\n%s", round, before, stderr)
					}
				}
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait()
				if err := r.check(ctx); err != nil {
					t.Fatalf("round %d: after the kill the cache is not what its offsets say: %v", round, err)
				}
			}
			cmd, stderr := r.start(t, "--once")
			if err := cmd.Wait(); err != nil {
				t.Fatalf("sink --once after the kills: %v\n%s", err, stderr)
			}
			if err := r.check(ctx); err != nil {
				t.Error(err)
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
