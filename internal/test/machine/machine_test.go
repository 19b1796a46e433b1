package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const envChild = "MACHINE_TEST_CHILD"

// TestMain can be a child that prints how long it was served, each time it is asked.
func TestMain(m *testing.M) {
	if os.Getenv(envChild) == "" {
		os.Exit(m.Run())
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(int64(Served()), int64(Longest()))
	}
}

func TestServedExcludesTheTimeOfAStop(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	ask := func() (served, longest time.Duration) {
		t.Helper()
		if _, err := fmt.Fprintln(in); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscanln(answers, (*int64)(&served), (*int64)(&longest)); err != nil {
			t.Fatal(err)
		}
		return served, longest
	}
	before, _ := ask()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	const stopped = 500 * time.Millisecond
	began := time.Now()
	<-time.After(stopped)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	after, longest := ask()
	if served, most := after-before, time.Since(began)-stopped/2; served > most {
		t.Errorf("served %s of the %s in which the process was stopped for %s", served, time.Since(began), stopped)
	}
	Until(t, "the child to say how late its beat was", func() bool { _, longest = ask(); return longest >= stopped/2 })
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestDelayIsTheMeanOverTime(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		late []time.Duration
		want time.Duration
	}{
		"no beats":                             {nil, 0},
		"equal delays":                         {[]time.Duration{30 * time.Millisecond, 30 * time.Millisecond}, 30 * time.Millisecond},
		"a long delay counts for all its time": {[]time.Duration{0, 0, 0, 0, 0, 0, 0, 0, 0, 90 * time.Millisecond}, 90 * time.Millisecond * 100 / 190},
	} {
		p := &pulse{}
		for _, late := range c.late {
			p.note(late)
		}
		if got := p.delay(); got.Round(time.Millisecond) != c.want.Round(time.Millisecond) {
			t.Errorf("%s: delay = %s, want %s", claim, got, c.want)
		}
	}
}

func TestDelayDropsOldBeats(t *testing.T) {
	t.Parallel()
	p := &pulse{}
	p.note(time.Hour)
	for range beatsKept {
		p.note(time.Millisecond)
	}
	if got := p.delay(); got != time.Millisecond {
		t.Errorf("delay = %s, want 1ms", got)
	}
	if got := p.most(); got != time.Hour {
		t.Errorf("longest = %s, want 1h", got)
	}
}

func TestAtLeastAndScale(t *testing.T) {
	t.Parallel()
	if got := AtLeast(time.Hour); got != time.Hour {
		t.Errorf("AtLeast(1h) = %s, want 1h", got)
	}
	if got, most := AtLeast(0), max(maxEnough, enoughDelays*Longest()); got <= 0 || got > most {
		t.Errorf("AtLeast(0) = %s, want above 0 and at most %s", got, most)
	}
	if got := Scale(time.Second); got < time.Second || got > maxScale*time.Second {
		t.Errorf("Scale(1s) = %s, want 1s to %s", got, maxScale*time.Second)
	}
}

func TestAWaitEndsWhenItIsDone(t *testing.T) {
	t.Parallel()
	n := 0
	Until(t, "three", func() bool { n++; return n == 3 })
	if n != 3 {
		t.Errorf("done was called %d times, want 3", n)
	}
	ch := make(chan string, 1)
	ch <- "here"
	if got := Recv(t, "a text", ch); got != "here" {
		t.Errorf("Recv = %q", got)
	}
}

func TestAWaitFailsWithoutProgress(t *testing.T) {
	t.Parallel()
	w := Wait{For: "nothing", Details: func() string { return "told" }, patience: 50 * time.Millisecond}
	err := w.Done(t.Context(), func() (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "no progress for 50ms of service") || !strings.Contains(err.Error(), "told") {
		t.Errorf("Done = %v, want that there was no progress", err)
	}
	asked := 0
	slow := Wait{For: "a server that is not served", patience: time.Nanosecond}
	if err := slow.Done(t.Context(), func() (bool, error) { asked++; return false, nil }); err == nil || asked < minChecks {
		t.Errorf("Done = %v after %d checks, want an error after %d", err, asked, minChecks)
	}
	ctx := w.Context(t)
	<-ctx.Done()
	if err := context.Cause(ctx); err == nil || !strings.Contains(err.Error(), "no progress") {
		t.Errorf("cause of the context's end = %v, want that there was no progress", err)
	}
}

func TestAWaitContinuesWithProgress(t *testing.T) {
	t.Parallel()
	const patience = 100 * time.Millisecond
	begun, steps := Served(), 0
	w := Wait{For: "the end", Progress: func() any { steps++; return steps / 3 }, patience: patience}
	err := w.Done(t.Context(), func() (bool, error) { return Served()-begun > 5*patience, nil })
	if err != nil {
		t.Errorf("Done = %v despite constant progress", err)
	}
}

func TestAWaitEndsWithItsContextAndWithAnError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Wait{For: "it"}).Done(ctx, func() (bool, error) { return false, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Done with a context that has ended = %v", err)
	}
	wrong := errors.New("wrong")
	if err := (Wait{For: "it"}).Done(t.Context(), func() (bool, error) { return false, wrong }); !errors.Is(err, wrong) {
		t.Errorf("Done of a failing check = %v", err)
	}
}
