// Package pause waits for a time, and no longer than its context.
//
// Invariant: no timer outlives a call. It knows nothing of why somebody waits.
package pause

import (
	"context"
	"time"
)

// For returns nil after d, or the error of ctx as soon as that has ended. It returns
// at once if d is not above 0.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
