package cache

import (
	"strings"
	"testing"

	"odastream/internal/test/pgtest"
)

func TestCanWriteNamesWhatApplyWouldMeet(t *testing.T) {
	t.Parallel()
	s := New(open(t, pgtest.Migrated(t)), "test", Config{GIN: "off"}, quiet())
	if err := s.CanWrite(t.Context()); err != nil {
		t.Fatalf("CanWrite of a healthy cache = %v", err)
	}
	for _, table := range []string{"parliamentary_data", "parliamentary_history", "parliamentary_deleted", "dead_letters", "sink_offsets", "cache_epochs"} {
		exec(t, s, "ALTER TABLE "+table+" RENAME TO away")
		err := s.CanWrite(t.Context())
		if err == nil || !strings.Contains(err.Error(), "42P01") || !strings.Contains(err.Error(), table) {
			t.Errorf("CanWrite without %s = %v, want 42P01 with its name", table, err)
		}
		exec(t, s, "ALTER TABLE away RENAME TO "+table)
	}
	if err := s.CanWrite(t.Context()); err != nil {
		t.Errorf("CanWrite after all = %v", err)
	}
	if got := pgtest.Lines(t, s.pool, `SELECT count(*)::text FROM parliamentary_data`); got != "0" {
		t.Errorf("rows after CanWrite = %s, want 0", got)
	}
}
