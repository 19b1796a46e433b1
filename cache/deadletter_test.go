package cache

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/pgtest"
)

const showDeadLetters = `SELECT topic, partition, "offset", key, class, COALESCE(sqlstate, '-'), error, state, failed_at AT TIME ZONE 'UTC' = '2026-11-23' FROM dead_letters ORDER BY 1, 2, 3`

func deadLetterAt(offset int64, key, state, text string) DeadLetter {
	return DeadLetter{
		TopicPartition: sagZero, Offset: offset, Key: key, Class: "data", SQLState: state, Error: text,
		FailedAt: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	apply := func(letters ...DeadLetter) {
		t.Helper()
		if _, err := s.Apply(t.Context(), Batch{DeadLetters: letters}); err != nil {
			t.Fatal(err)
		}
	}
	apply(deadLetterAt(1, "Sag:1", "22P02", "lone surrogate"), deadLetterAt(2, "\xff\x00", "", "no key \x00"))
	want := "parliament-sag 0 1 Sag:1 data 22P02 lone surrogate open true\n" +
		"parliament-sag 0 2 \uFFFD\uFFFD data - no key \uFFFD open true"
	if diff := cmp.Diff(want, pgtest.Lines(t, s.pool, showDeadLetters)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}

	if _, err := s.pool.Exec(t.Context(), `UPDATE dead_letters SET state = 'discarded'`); err != nil {
		t.Fatal(err)
	}
	apply(deadLetterAt(1, "Sag:1", "22P02", "lone surrogate"), deadLetterAt(2, "Sag:9", "", "other"), deadLetterAt(2, "Sag:9", "", "other"))
	want = "parliament-sag 0 1 Sag:1 data 22P02 lone surrogate discarded true\n" +
		"parliament-sag 0 2 Sag:9 data - other open true"
	if diff := cmp.Diff(want, pgtest.Lines(t, s.pool, showDeadLetters)); diff != "" {
		t.Errorf("dead letters, the first once more and the second of a recreated topic (-want +got):\n%s", diff)
	}
}
