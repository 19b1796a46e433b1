package checker

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// EnvSeed replays the history of a failure, by its seed. A replay has the same events in
// the same order, but not the same timing.
const EnvSeed = "ODASTREAM_SEED"

// Seeds returns the seeds of the histories to run: that of EnvSeed alone, or as many as
// the variable number says, or n.
func Seeds(t testing.TB, number string, n int) []uint64 {
	t.Helper()
	if text := os.Getenv(EnvSeed); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s is %q, want a number", EnvSeed, text)
		}
		return []uint64{seed}
	}
	if text := os.Getenv(number); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s is %q, want a number", number, text)
		}
	}
	seeds := make([]uint64, n)
	first := rand.Uint64N(1e9)
	for i := range seeds {
		seeds[i] = first + uint64(i)
	}
	return seeds
}
