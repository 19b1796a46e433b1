package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"odastream/oda"
)

// reachWithin is how long the live API may take to answer before a person is
// shown the simulated parliament instead.
const reachWithin = 6 * time.Second

// chooseSource tells whether the trial is simulated: as asked for, or because
// the live API does not answer.
func (t *trial) chooseSource(ctx context.Context) (simulated bool, err error) {
	if t.cfg.Simulated {
		return true, nil
	}
	s, err := t.cfg.settings(false)
	if err != nil {
		return false, err
	}
	err = reach(ctx, s.Source)
	if err == nil || ctx.Err() != nil {
		return false, ctx.Err()
	}
	t.screen.Println("!!! " + s.Source.Public() + " cannot be used: " + err.Error())
	t.screen.Println("!!! Going on with a SIMULATED parliament: all that it says is made up.")
	if _, err := os.Stat(filepath.Join(t.cfg.Dir, liveDir)); err == nil {
		t.screen.Println("!!! Your live data in " + filepath.Join(t.cfg.Dir, liveDir) + " is left as it is, and goes on when the API is back.")
	}
	t.screen.Println("")
	return true, nil
}

// reach asks the source once whether it is there.
func reach(ctx context.Context, cfg oda.Config) error {
	client, err := oda.New(cfg, nil, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	err = client.Reachable(ctx)
	var fault *oda.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", reachWithin)
	case errors.As(err, &fault) && fault.Cause != nil:
		return fmt.Errorf("%w (%w)", fault.Kind, fault.Cause) // the address stands beside it
	}
	return err
}
