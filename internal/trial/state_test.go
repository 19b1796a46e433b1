package trial

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestADirectoryHasOneTrial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir, true)
	if err := first.announce(Place{PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	_, err := openState(dir, true)
	var busy *BusyError
	if !errors.As(err, &busy) || busy.PID != os.Getpid() || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("second openState = %v, want a *BusyError with our process id and a way out", err)
	}
	open(t, dir, false).close() // live beside simulated
	first.close()
	open(t, dir, true).close()
}

func TestRunningIsFoundOnlyWhileItRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, ok := Running(dir); ok {
		t.Error("Running in an empty directory is true")
	}
	s := open(t, dir, true)
	want := Place{PID: os.Getpid(), Simulated: true, Brokers: "127.0.0.1:9092", DatabaseURL: "postgres:///x"}
	if err := s.announce(want); err != nil {
		t.Fatal(err)
	}
	got, ok := Running(dir)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("Running = %v (-want +got):\n%s", ok, diff)
	}
	live := open(t, dir, false)
	if err := live.announce(Place{PID: os.Getpid(), Brokers: "live"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := Running(dir); got.Brokers != "live" {
		t.Errorf("Running beside a simulated one = %+v, want the live one", got)
	}
	live.close()
	s.close()
	if _, ok := Running(dir); ok {
		t.Error("Running after close is true")
	}
}

func TestAnEndedTrialIsNotRunning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for claim, text := range map[string]string{
		"a process that is gone": `{"pid":2147483646}`,
		"no process":             `{}`,
		"a torn file":            `{"pi`,
	} {
		path := filepath.Join(dir, simDir)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, placeFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if place, ok := Running(dir); ok {
			t.Errorf("%s: Running = %+v", claim, place)
		}
	}
}

func TestAStateDirectoryThatCannotBeCreatedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(file, true); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("openState below a file = %v, want an error that names --dir", err)
	}
}

func open(t *testing.T, dir string, simulated bool) *state {
	t.Helper()
	s, err := openState(dir, simulated)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
