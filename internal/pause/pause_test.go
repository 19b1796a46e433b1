package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestForWaitsForItsDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{-time.Second, 0, time.Hour} {
			began := time.Now()
			if err := For(t.Context(), d); err != nil {
				t.Errorf("For(%s) = %v", d, err)
			}
			if got := time.Since(began); got != max(d, 0) {
				t.Errorf("For(%s) took %s", d, got)
			}
		}
	})
}

func TestForEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("For = %v after %s, want the deadline's error after a minute", err, time.Since(began))
		}
		if err := For(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("For(0) with a context that has ended = %v", err)
		}
	})
}
