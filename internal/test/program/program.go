// Package program runs a program under test as a separate process, and waits for its
// effects while it runs.
//
// Invariant: a process ends with its test at the latest. A wait for its effects ends once
// it has ended.
package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"odastream/internal/test/machine"
)

// tail is how much of a program's output is shown, in bytes.
const tail = 4000

// Process is a running or ended program. It is safe for concurrent use.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stderr output
	ended  chan struct{}
	err    error // set before ended is closed
}

// Start starts cmd and keeps its stderr. The process is killed when the test ends.
func Start(t testing.TB, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Signal(syscall.SIGKILL)
		<-p.ended
	})
	return p
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends sig, unless the process has ended.
func (p *Process) Signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }

// Wait waits for the end of the process and returns how it ended: nil for exit status 0.
func (p *Process) Wait() error {
	<-p.ended
	return p.err
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends the process with SIGKILL. If the process ended before with exit status 0,
// Kill returns false; with another status, it fails the test.
func (p *Process) Kill(t testing.TB) bool {
	t.Helper()
	p.Signal(syscall.SIGKILL)
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 0) {
		t.Fatalf("ended by itself: %s", p)
	}
	return err != nil
}

// Stop ends the process with SIGTERM, and fails the test unless it then exits with
// status 0.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(syscall.SIGTERM)
	machine.Wait{For: "the end of " + p.name, Details: p.String}.Until(t, func() bool { return !p.Running() })
	if p.err != nil {
		t.Errorf("after SIGTERM: %s", p)
	}
}

// Await waits until done returns true. It fails the test if the wait fails, or if one of
// the processes ends before.
func Await(t testing.TB, w machine.Wait, done func() bool, processes ...*Process) {
	t.Helper()
	if ended := await(t, w, done, processes); ended != nil {
		t.Fatalf("ended during the wait for %s: %s", w.For, ended)
	}
}

// Until is Await for a process that may end: it returns false if that happened before
// done was true.
func (p *Process) Until(t testing.TB, w machine.Wait, done func() bool) bool {
	t.Helper()
	return await(t, w, done, []*Process{p}) == nil
}

// await returns the process that ended before done was true, nil if none did.
func await(t testing.TB, w machine.Wait, done func() bool, processes []*Process) (ended *Process) {
	t.Helper()
	more := w.Details
	w.Details = func() (text string) {
		if more != nil {
			text = more()
		}
		for _, p := range processes {
			text += "\n" + p.String()
		}
		return text
	}
	w.Until(t, func() bool {
		for _, p := range processes {
			if !p.Running() {
				ended = p
			}
		}
		// The process may have caused it just before its end, so done is called again
		// after the end.
		if done() {
			ended = nil
			return true
		}
		return ended != nil
	})
	return ended
}

// CountOutput returns how often text occurs in the process's output.
func (p *Process) CountOutput(text string) int { return p.stderr.count(text) }

// String returns the process's name, its state, and its last output.
func (p *Process) String() string {
	state := "runs"
	if !p.Running() {
		state = "has ended: " + p.cmd.ProcessState.String()
	}
	return fmt.Sprintf("%s (process %d) %s; output:\n%s", p.name, p.PID(), state, p.stderr.last())
}

// output is a program's output so far. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) count(text string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Count(o.text.Bytes(), []byte(text))
}

func (o *output) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.text.Bytes()
	return string(text[max(0, len(text)-tail):])
}
