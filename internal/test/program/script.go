package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"odastream/internal/test/machine"
)

// Script is Await for the commands that a testscript has started in the background. It
// returns an error if the wait fails, or if one of them ends before.
func Script(w machine.Wait, background []*exec.Cmd, done func() (bool, error)) error {
	var ended *exec.Cmd
	err := w.Done(context.Background(), func() (bool, error) {
		for _, cmd := range background {
			if errors.Is(cmd.Process.Signal(syscall.Signal(0)), os.ErrProcessDone) {
				ended = cmd
			}
		}
		// A command may have caused it just before its end, so done is called again after
		// the end.
		ok, err := done()
		switch {
		case ok || err != nil:
			return ok, err
		case ended != nil:
			return false, fmt.Errorf("%s (process %d) ended during the wait for %s", ended, ended.Process.Pid, w.For)
		}
		return false, nil
	})
	if err != nil && ended != nil && w.Details != nil {
		return fmt.Errorf("%w\n%s", err, w.Details())
	}
	return err
}
