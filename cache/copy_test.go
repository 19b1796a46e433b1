package cache

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
	"time"
)

// The stream is the same for every size of read, and it ends.
func TestStageReaderInPieces(t *testing.T) {
	t.Parallel()
	entries := ordered([]Record{sag(1, 1, `{"a":1}`), sag(2, 1, ""), record("Omtryk", 3, 1, `{"long":"`+string(bytes.Repeat([]byte("x"), 5000))+`"}`)})
	ttl := TTL{"Omtryk": time.Hour}
	whole, err := io.ReadAll(newStageReader(entries, ttl))
	if err != nil {
		t.Fatal(err)
	}
	for claim, r := range map[string]io.Reader{
		"a byte at a time": iotest.OneByteReader(newStageReader(entries, ttl)),
		"half at a time":   iotest.HalfReader(newStageReader(entries, ttl)),
	} {
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s: %d bytes, %v, want the same %d as at once", claim, len(got), err, len(whole))
		}
	}
	if !bytes.HasPrefix(whole, []byte("PGCOPY\n")) || !bytes.HasSuffix(whole, []byte{0xff, 0xff}) {
		t.Errorf("stream begins %q and ends %x, want PGCOPY and ffff", whole[:8], whole[len(whole)-2:])
	}
}

func FuzzWallClock(f *testing.F) {
	for _, stamp := range []string{"2026-11-23T16:09:58.347", "2014-09-09T09:05:49", "", "2023-02-29T00:00:00", "9999-12-31T23:59:59.9999999", "0001-01-01T00:00:00"} {
		f.Add(stamp)
	}
	f.Fuzz(func(t *testing.T, stamp string) {
		micros, ok := wallClock(stamp)
		if !ok {
			return
		}
		back := time.UnixMicro(micros + 946684800*1_000_000).UTC()
		want, err := time.Parse("2006-01-02T15:04:05.999999999", stamp)
		if err != nil || !back.Equal(want.Truncate(time.Microsecond)) {
			t.Errorf("wallClock(%q) = %s, want %s (%v)", stamp, back, want, err)
		}
	})
}
