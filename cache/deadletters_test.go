package cache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/pgtest"
)

func deadLetterOf(offset int64, key string, seq int64) DeadLetter {
	l := deadLetterAt(offset, key, "22P05", "refused")
	l.Seq = seq
	return l
}

// states shows each dead letter that f selects as offset, state and the cache's seq.
func states(t *testing.T, s *Store, f DeadLetterFilter) string {
	t.Helper()
	letters, err := NewReader(s.pool).DeadLetters(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range letters {
		lines = append(lines, fmt.Sprintf("%d %s %d", l.Offset, l.State, l.CacheSeq))
	}
	return strings.Join(lines, ", ")
}

func TestADeadLetterIsSupersededByTheCachedVersion(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	letters := []DeadLetter{
		deadLetterOf(1, "Sag:1", 10), deadLetterOf(2, "Sag:2", 10), deadLetterOf(3, "Sag:3", 10), deadLetterOf(4, "Sag:4", 10),
		deadLetterOf(5, "Sag:5", 0), deadLetterOf(6, "no key", 10), deadLetterOf(7, "Sag:99999999999999999999", 10), deadLetterOf(8, "Aktør:-1", 10),
	}
	if _, err := s.Apply(t.Context(), Batch{
		DeadLetters: letters,
		Records:     []Record{sag(1, 9, `{}`), sag(2, 10, `{}`), sag(3, 11, `{}`), sag(4, 11, ""), sag(5, 99, `{}`), record("Aktør", -1, 10, `{}`)},
	}); err != nil {
		t.Fatal(err)
	}
	const want = "1 open 9, 2 superseded 10, 3 superseded 11, 4 superseded 11, 5 open 99, 6 open 0, 7 open 0, 8 superseded 10"
	if diff := cmp.Diff(want, states(t, s, DeadLetterFilter{})); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	const stored = `SELECT string_agg("offset" || ' ' || state, ', ' ORDER BY "offset") FROM dead_letters WHERE state <> 'open'`
	if got := pgtest.Lines(t, s.pool, stored); got != "<nil>" {
		t.Errorf("DeadLetters stored %s", got)
	}
	for _, want := range []int{4, 0} {
		if got, err := s.MarkSuperseded(t.Context()); got != want || err != nil {
			t.Errorf("MarkSuperseded() = %d, %v, want %d", got, err, want)
		}
	}
	if got, want := pgtest.Lines(t, s.pool, stored), "2 superseded, 3 superseded, 4 superseded, 8 superseded"; got != want {
		t.Errorf("stored: %s, want %s", got, want)
	}
}

func TestDeadLettersAreFiltered(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	late := deadLetterOf(2, "Sag:2", 2)
	late.Class, late.FailedAt = "schema", late.FailedAt.Add(time.Hour)
	other := deadLetterOf(2, "Sag:3", 3)
	other.Partition = 1
	foreign := deadLetterOf(9, "Emneord:1", 4)
	foreign.Topic = "parliament-emneord"
	if _, err := s.Apply(t.Context(), Batch{DeadLetters: []DeadLetter{deadLetterOf(1, "Sag:1", 1), late, other, foreign}}); err != nil {
		t.Fatal(err)
	}
	where := late.ID()
	for claim, tc := range map[string]struct {
		filter DeadLetterFilter
		want   string
	}{
		"all":       {DeadLetterFilter{}, "9 open 0, 1 open 0, 2 open 0, 2 open 0"},
		"by topic":  {DeadLetterFilter{Topic: "parliament-emneord"}, "9 open 0"},
		"by class":  {DeadLetterFilter{Class: "schema"}, "2 open 0"},
		"by key":    {DeadLetterFilter{Key: "Sag:1"}, "1 open 0"},
		"since":     {DeadLetterFilter{Since: late.FailedAt}, "2 open 0"},
		"before":    {DeadLetterFilter{Before: late.FailedAt, Topic: "parliament-sag"}, "1 open 0, 2 open 0"},
		"one":       {DeadLetterFilter{At: &where, Class: "schema"}, "2 open 0"},
		"one wrong": {DeadLetterFilter{At: &where, Class: "data"}, ""},
		"by state":  {DeadLetterFilter{States: []DeadLetterState{DeadLetterRetried}}, ""},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := states(t, s, tc.filter); got != tc.want {
				t.Errorf("DeadLetters(%+v) = %s, want %s", tc.filter, got, tc.want)
			}
		})
	}
}

func TestOnlyAnOpenDeadLetterChangesItsState(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		was, as DeadLetterState
		want    bool
	}{
		"open is retried":            {DeadLetterOpen, DeadLetterRetried, true},
		"open is discarded":          {DeadLetterOpen, DeadLetterDiscarded, true},
		"superseded is discarded":    {DeadLetterSuperseded, DeadLetterDiscarded, true},
		"superseded is not retried":  {DeadLetterSuperseded, DeadLetterRetried, false},
		"discarded is not retried":   {DeadLetterDiscarded, DeadLetterRetried, false},
		"retried is not discarded":   {DeadLetterRetried, DeadLetterDiscarded, false},
		"discarded is not discarded": {DeadLetterDiscarded, DeadLetterDiscarded, false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			l := deadLetterOf(1, "Sag:1", 1)
			if _, err := s.Apply(t.Context(), Batch{DeadLetters: []DeadLetter{l}}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.pool.Exec(t.Context(), `UPDATE dead_letters SET state = $1, changed_at = '2026-01-01'`, tc.was); err != nil {
				t.Fatal(err)
			}
			when, got, err := s.SetDeadLetterState(t.Context(), l.ID(), tc.as)
			if got != tc.want || err != nil || got && time.Since(when) > time.Hour {
				t.Errorf("SetDeadLetterState(%s) of one that is %s = %s, %v, %v", tc.as, tc.was, when, got, err)
			}
			state := tc.was
			if tc.want {
				state = tc.as
			}
			if got, want := pgtest.Lines(t, s.pool, `SELECT state, changed_at > '2026-01-02' FROM dead_letters`), fmt.Sprint(state, " ", tc.want); got != want {
				t.Errorf("stored: %s, want %s", got, want)
			}
		})
	}
}

func TestFailAgainStoresTheNewError(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := deadLetterOf(1, "Sag:1", 1)
	if _, err := s.Apply(t.Context(), Batch{DeadLetters: []DeadLetter{l}}); err != nil {
		t.Fatal(err)
	}
	l.Class, l.SQLState, l.Error = "schema", "", "no id\x00"
	if err := s.FailAgain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("parliament-sag 0 1 Sag:1 schema - no id\uFFFD open true", pgtest.Lines(t, s.pool, showDeadLetters)); diff != "" {
		t.Errorf("dead letter (-want +got):\n%s", diff)
	}
}
