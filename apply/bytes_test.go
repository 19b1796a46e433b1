package apply_test

import (
	"testing"

	"odastream/apply"
)

func TestBytesReadsSizes(t *testing.T) {
	t.Parallel()
	cases := map[string]apply.Bytes{
		"16MiB": 16 << 20, "64 KiB": 64 << 10, "1gib": 1 << 30, "500kB": 500_000, "2MB": 2_000_000, "12": 12, "7B": 7, "0": 0,
	}
	for text, want := range cases {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var got apply.Bytes
			if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
				t.Errorf("UnmarshalText(%q) = %d, %v, want %d", text, got, err, want)
			}
		})
	}
	for _, text := range []string{"", "MiB", "-1MiB", "1.5MiB", "16 apples", "9999999999GiB"} {
		t.Run("not "+text, func(t *testing.T) {
			t.Parallel()
			var got apply.Bytes
			if err := got.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("UnmarshalText(%q) = %d, want an error", text, got)
			}
		})
	}
}

func TestBytesAreWrittenAsTheyAreRead(t *testing.T) {
	t.Parallel()
	for _, want := range []apply.Bytes{0, 1, 1000, 1024, 16 << 20, 3e9, 123456789} {
		var got apply.Bytes
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Errorf("%d as text is %q, read back as %d, %v", int64(want), want, int64(got), err)
		}
	}
}
