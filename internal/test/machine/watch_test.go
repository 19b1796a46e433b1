package machine_test

import (
	"fmt"
	"testing"

	"odastream/internal/test/machine"
)

// judged is a test whose failures are kept.
type judged struct {
	testing.TB
	cleanup func()
	failed  string
}

func (j *judged) Cleanup(f func())                { j.cleanup = f }
func (j *judged) Errorf(text string, args ...any) { j.failed = fmt.Sprintf(text, args...) }

func TestWatchMemoryFailsAboveItsLimit(t *testing.T) {
	t.Parallel()
	for most, wantFailure := range map[uint64]bool{1: true, 1 << 50: false} {
		j := &judged{TB: t}
		machine.WatchMemory(j, most)
		j.cleanup()
		if (j.failed != "") != wantFailure {
			t.Errorf("with a limit of %d bytes it says %q", most, j.failed)
		}
	}
}
