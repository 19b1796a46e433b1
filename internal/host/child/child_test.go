//go:build unix

package child_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"odastream/internal/host/child"
	"odastream/internal/test/machine"
)

// TestMain lets the test program also be the parent that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHILD_TEST_PARENT") != "" {
		parent()
		return
	}
	os.Exit(m.Run())
}

// parent starts a child that would keep running, prints its process id, and waits.
func parent() {
	p, err := child.Start(child.Spec{Path: "/bin/sh", Args: []string{"-c", "exec sleep 600"}, OnDeath: syscall.SIGKILL})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.PID())
	<-p.Done()
}

func TestChildDiesWithAKilledParent(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/comm"); err != nil {
		t.Skip("NOT LINUX: no death signal here")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "CHILD_TEST_PARENT=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("parent said %q", line)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	waitUntilGone(t, pid)
}

func TestStopGoesStepByStep(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		script string
		killed bool
	}{
		"the first signal ends a process":                         {`trap 'exit 0' INT; echo ready; while :; do sleep 0.01; done`, false},
		"the second signal ends a process that ignores the first": {`trap '' INT; trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`, false},
		"a process that ignores both is killed, with an error":    {`trap '' INT TERM; echo ready; while :; do sleep 0.01; done`, true},
		"a process that has ended is not an error":                {`echo ready`, false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			p := start(t, c.script, c.killed)
			if err := p.Stop(); (err != nil) != c.killed {
				t.Errorf("Stop = %v, want an error: %v", err, c.killed)
			}
			select {
			case <-p.Done():
			default:
				t.Error("the process runs after Stop")
			}
		})
	}
}

func TestKillTakesTheWholeGroup(t *testing.T) {
	t.Parallel()
	p := start(t, `sleep 600 & echo $! ; echo ready; wait`, true)
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	grandchild, err := strconv.Atoi(first)
	if err != nil {
		t.Fatalf("log = %q", text)
	}
	p.Kill()
	if _, ok := errors.AsType[*exec.ExitError](p.Err()); !ok {
		t.Errorf("Err after Kill = %v, want how it ended", p.Err())
	}
	waitUntilGone(t, grandchild)
}

func TestNothingIsInherited(t *testing.T) {
	t.Setenv("CHILD_SECRET", "1")
	p := start(t, `echo "secret=$CHILD_SECRET dir=$(pwd)"; echo ready`, true)
	<-p.Done()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	if want := "secret= dir=/\n"; !strings.HasPrefix(string(text), want) {
		t.Errorf("child's environment and directory = %q, want %q", text, want)
	}
}

func TestStartNamesWhatItCannotRun(t *testing.T) {
	t.Parallel()
	_, err := child.Start(child.Spec{Path: "/no/such/server"})
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "start server:") {
		t.Errorf("Start = %v, want the program and that it does not exist", err)
	}
}

type logged struct {
	*child.Process
	log string
}

// start runs a shell script and returns once it has said "ready". A stubborn one ignores
// signals and is not waited for long.
func start(t *testing.T, script string, stubborn bool) logged {
	t.Helper()
	const first = 300 * time.Millisecond
	last := time.Hour
	if stubborn {
		last = first
	}
	log := filepath.Join(t.TempDir(), "log")
	p, err := child.Start(child.Spec{
		Path: "/bin/sh", Args: []string{"-c", script}, LogFile: log, Env: []string{"PATH=" + os.Getenv("PATH")},
		OnDeath: syscall.SIGKILL,
		Stop: []child.StopSignal{
			{Signal: os.Interrupt, Wait: first},
			{Signal: syscall.SIGTERM, Wait: last},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	machine.Until(t, "the script to be ready", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), "ready\n")
	})
	return logged{Process: p, log: log}
}

func waitUntilGone(t *testing.T, pid int) {
	t.Helper()
	machine.Until(t, fmt.Sprintf("the end of process %d", pid), func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// A zombie that its new parent has not reaped yet has ended too.
		return err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ")
	})
}
