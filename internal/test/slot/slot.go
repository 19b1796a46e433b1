// Package slot starts servers for tests, each on a directory that no other running
// process uses.
//
// Invariant: at most one server runs on a slot, in one process or in several. The package
// knows nothing of what the servers are.
package slot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"odastream/internal/host/flock"
)

// most is how many servers of a kind one user may run at once.
const most = 64

// stopper is a running server.
type stopper interface{ Stop() error }

// Server is a server for tests in its own slot. The slot is free once the Server is
// stopped, or nothing refers to it.
type Server[S stopper] struct {
	Running S
	lock    *flock.Lock
}

// Start calls start with the first free slot of a kind of server, a directory below the
// temporary one. It may be missing, or hold what earlier servers left.
func Start[S stopper](ctx context.Context, kind string, start func(ctx context.Context, dir string) (S, error)) (*Server[S], error) {
	root := filepath.Join(os.TempDir(), "odastream-test-"+strconv.Itoa(os.Getuid()))
	// The account that runs Postgres for root must be able to enter.
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("make directory for test servers: %w", err)
	}
	lock, dir, err := flock.Slot(filepath.Join(root, kind+"-"), most)
	if err != nil {
		return nil, err
	}
	running, err := start(ctx, dir)
	if err != nil {
		lock.Unlock()
		return nil, err
	}
	return &Server[S]{Running: running, lock: lock}, nil
}

// Stop stops the server and frees its slot.
func (s *Server[S]) Stop() error {
	defer s.lock.Unlock()
	return s.Running.Stop()
}
