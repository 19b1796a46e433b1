package program

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"odastream/internal/test/machine"
)

// sh runs a shell script.
func sh(t *testing.T, script string) *Process {
	t.Helper()
	return Start(t, "script", exec.CommandContext(t.Context(), "/bin/sh", "-c", script))
}

// recorder is a testing.TB that records how the test would have failed.
type recorder struct {
	testing.TB
	failed string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Errorf(format string, args ...any) { r.failed = fmt.Sprintf(format, args...) }

// failure returns how test would have failed, "" if not at all.
func failure(t *testing.T, test func(testing.TB)) string {
	t.Helper()
	r, over := &recorder{TB: t}, make(chan struct{})
	go func() {
		defer close(over)
		test(r)
	}()
	<-over
	return r.failed
}

func never() bool { return false }

func TestAWaitEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	w := machine.Wait{For: "the moon"}
	got := failure(t, func(tb testing.TB) { Await(tb, w, never, sh(t, "exec sleep 600"), sh(t, "echo no moon >&2; exit 3")) })
	for _, want := range []string{"the moon", "exit status 3", "no moon"} {
		if !strings.Contains(got, want) {
			t.Errorf("Await fails with %q, want %q in it", got, want)
		}
	}
	if sh(t, "exit 0").Until(t, w, never) {
		t.Error("Until is true although the process ended first")
	}
}

// A process that had the awaited effect may have ended meanwhile.
func TestAnEffectJustBeforeTheEndCounts(t *testing.T) {
	t.Parallel()
	p := sh(t, "exit 0")
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if !p.Until(t, machine.Wait{For: "it"}, func() bool { return true }) {
		t.Error("Until is false although done was true")
	}
}

func TestKillReportsWhetherTheProcessWasRunning(t *testing.T) {
	t.Parallel()
	if !sh(t, "exec sleep 600").Kill(t) {
		t.Error("Kill of a process that runs is false")
	}
	over := sh(t, "exit 0")
	_ = over.Wait()
	if over.Kill(t) {
		t.Error("Kill of a process that has ended is true")
	}
	wrong := sh(t, "exit 2")
	_ = wrong.Wait()
	if got := failure(t, func(tb testing.TB) { wrong.Kill(tb) }); !strings.Contains(got, "exit status 2") {
		t.Errorf("Kill of a process that failed fails with %q, want its exit status", got)
	}
}

func TestStopWantsStatusZero(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{"0": "", "4": "exit status 4"} {
		p := sh(t, "trap 'exit "+status+"' TERM; echo ready >&2; while :; do sleep 0.01; done")
		Await(t, machine.Wait{For: "the script"}, func() bool { return strings.Contains(p.stderr.last(), "ready") }, p)
		got := failure(t, func(tb testing.TB) { p.Stop(tb) })
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("Stop of a process that exits with %s fails with %q, want %q", status, got, want)
		}
	}
}

func TestAProcessEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var p *Process
	t.Run("test", func(t *testing.T) {
		p = Start(t, "script", exec.Command("/bin/sleep", "600")) //nolint:noctx // that it ends without one is the claim
		p.Signal(syscall.SIGSTOP)
	})
	if p.Running() {
		t.Error("the process outlives its test")
	}
}

func TestAScriptsWaitEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "exit 3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	w := machine.Wait{For: "the moon", Details: func() string { return "no moon" }}
	err := Script(w, []*exec.Cmd{cmd}, func() (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "the moon") || !strings.Contains(err.Error(), "no moon") {
		t.Errorf("Script = %v, want what it waited for and the output", err)
	}
	if err := Script(w, []*exec.Cmd{cmd}, func() (bool, error) { return true, nil }); err != nil {
		t.Errorf("Script with a done condition = %v", err)
	}
}

func TestMemoryIsThatOfTheProcessAlone(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	ours := bytes.Repeat([]byte("x"), 128*mib) // held while the programs start
	small, large := sh(t, "exec sleep 600"), sh(t, "exec dd if=/dev/zero of=/dev/null bs=64M")
	runtime.KeepAlive(ours)
	machine.Until(t, "64 MiB", func() bool { return large.Memory(t) >= 64*mib })
	if got := small.Memory(t); got == 0 || got > 32*mib {
		t.Errorf("a program that sleeps takes %d bytes", got)
	}
	large.Kill(t)
	if got := large.Memory(t); got != 0 {
		t.Errorf("a program that has ended takes %d bytes", got)
	}
}
