package stream

import (
	"context"
	"math/rand/v2"
	"time"

	"odastream/internal/pause"
)

// backoff waits before try number try+2: from 250 ms doubling to 10 s, with jitter in
// its upper half. It returns ctx's error if ctx ends first.
func backoff(ctx context.Context, try int) error {
	most := min(250*time.Millisecond<<min(try, 6), 10*time.Second)
	return pause.For(ctx, most/2+rand.N(most/2))
}
