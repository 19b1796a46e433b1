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

// Script is Await for the commands that a testscript has started in the background:
// it returns an error if the wait is in vain, and as soon as one of them has ended.
func Script(w machine.Wait, background []*exec.Cmd, done func() (bool, error)) error {
	var ended *exec.Cmd
	err := w.Done(context.Background(), func() (bool, error) {
		for _, cmd := range background {
			if errors.Is(cmd.Process.Signal(syscall.Signal(0)), os.ErrProcessDone) {
				ended = cmd
			}
		}
		// What a command did last, it did before its end: done is asked after it.
		ok, err := done()
		switch {
		case ok || err != nil:
			return ok, err
		case ended != nil:
			return false, fmt.Errorf("%s (process %d) ended before what was waited for, %s", ended, ended.Process.Pid, w.For)
		}
		return false, nil
	})
	if err != nil && ended != nil && w.Tell != nil {
		return fmt.Errorf("%w\n%s", err, w.Tell())
	}
	return err
}
