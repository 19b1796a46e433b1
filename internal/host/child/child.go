// Package child runs a server as a child process that ends with its parent.
//
// Invariant: a child has its own process group, so that Ctrl-C at the terminal reaches
// only us, and we stop it in order. On Linux the kernel signals it when we die, for any
// reason. The package knows nothing of the server that it runs.
package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Spec says what to run.
type Spec struct {
	Path    string       // the program
	Args    []string     // without the program's name
	Env     []string     // the whole environment; nothing is inherited
	Dir     string       // working directory; "" means "/"
	LogFile string       // replaced at the start, gets stdout and stderr; "" discards them
	Account *Account     // nil runs as ourselves
	OnDeath DeathSignal  // sent by the kernel when we die, Linux only
	Stop    []StopSignal // the steps of Stop, in order; a kill follows the last
}

// StopSignal is one step of Stop: a signal, and how long to wait for the end.
type StopSignal struct {
	Signal os.Signal
	Wait   time.Duration
}

// Process is a running or ended child. It is safe for concurrent use.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// Start starts spec and returns once the program runs. The caller checks whether it is
// ready for work, and ends it with Stop or Kill.
func Start(spec Spec) (*Process, error) {
	p := &Process{spec: spec, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(spec.Path), err)
	}
	return p, nil
}

// PID returns the process id, also after the end.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process ended: nil for exit status 0 and while it runs,
// else an *exec.ExitError.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Stop asks the process to end by the steps of its Spec, kills its group after
// the last, and returns once it has ended. It returns an error if a kill was
// needed; a process that had ended already is no error.
func (p *Process) Stop() error {
	for _, step := range p.spec.Stop {
		// An error means that it has ended; the wait notices that.
		_ = p.cmd.Process.Signal(step.Signal)
		if p.wait(step.Wait) {
			return nil
		}
	}
	if p.wait(0) {
		return nil
	}
	p.Kill()
	return fmt.Errorf("stop %s (process %d): it ignored each signal and was killed", filepath.Base(p.spec.Path), p.PID())
}

// Kill ends the process and its group with SIGKILL, like a crash, and returns once it has
// ended.
func (p *Process) Kill() {
	_ = killGroup(p.cmd.Process)
	<-p.done
}

func (p *Process) wait(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

func (p *Process) run(started chan<- error) {
	// The death signal is bound to the thread that forked, not to the process: if Go
	// retired the thread, the child would end. So the thread stays as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

func (p *Process) start() error {
	// Without a context: Stop ends the program.
	p.cmd = &exec.Cmd{
		Path: p.spec.Path, Args: append([]string{p.spec.Path}, p.spec.Args...),
		Env: p.spec.Env, Dir: p.spec.Dir,
	}
	if p.cmd.Dir == "" {
		p.cmd.Dir = string(filepath.Separator)
	}
	prepare(p.cmd, p.spec)
	if p.spec.LogFile == "" {
		return p.cmd.Start()
	}
	file, err := os.OpenFile(p.spec.LogFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	return errors.Join(p.cmd.Start(), file.Close())
}
