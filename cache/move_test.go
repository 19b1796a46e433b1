package cache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

var (
	sagZero = schema.TopicPartition{Topic: "parliament-sag", Partition: 0}
	sagOne  = schema.TopicPartition{Topic: "parliament-sag", Partition: 1}
	topic   = [16]byte{1}
	newID   = [16]byte{2} // the recreated topic
)

func TestMoves(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stored := Move{TopicPartition: sagZero, TopicID: topic, From: schema.NoOffset, To: 5}
	for claim, tt := range map[string]struct {
		before []Move
		moves  []Move
		lost   string // part of the error; "" where the batch is kept
	}{
		"the first batch starts from nothing":           {moves: []Move{{sagZero, topic, schema.NoOffset, 7}}},
		"nothing applied counts as offset 0":            {moves: []Move{{sagZero, topic, 0, 7}}},
		"a missing offset is not offset 3":              {moves: []Move{{sagZero, topic, 3, 7}}, lost: "parliament-sag/0 at 3"},
		"a partition moves on from where it is":         {before: []Move{stored}, moves: []Move{{sagZero, topic, 5, 7}}},
		"an offset that another writer moved conflicts": {before: []Move{stored}, moves: []Move{{sagZero, topic, 4, 7}}, lost: "parliament-sag/0 at 4"},
		"an applied partition is not unapplied":         {before: []Move{stored}, moves: []Move{{sagZero, topic, schema.NoOffset, 7}}, lost: "parliament-sag/0 at -1"},
		"an applied partition is not at 0":              {before: []Move{stored}, moves: []Move{{sagZero, topic, 0, 7}}, lost: "parliament-sag/0 at 0"},
		"the offset of another topic conflicts":         {before: []Move{stored}, moves: []Move{{sagZero, newID, 5, 7}}, lost: "parliament-sag/0 at 5"},
		"a partition at offset 0 moves on once":         {before: []Move{{sagZero, topic, 0, 0}}, moves: []Move{{sagZero, topic, 0, 7}}},
		"partitions move together":                      {before: []Move{stored}, moves: []Move{{sagZero, topic, 5, 7}, {sagOne, topic, schema.NoOffset, 9}}},
		"one conflict drops the whole batch":            {before: []Move{stored}, moves: []Move{{sagOne, topic, schema.NoOffset, 9}, {sagZero, topic, 6, 7}}, lost: "parliament-sag/0 at 6"},
	} {
		t.Run(claim, func(t *testing.T) {
			empty(t, s.pool)
			if len(tt.before) > 0 {
				if _, err := s.Apply(t.Context(), Batch{Moves: tt.before}); err != nil {
					t.Fatal(err)
				}
			}
			before := positions(t, s)
			letter := DeadLetter{TopicPartition: sagZero, Offset: 6, Class: "decode", Error: "no JSON"}
			_, err := s.Apply(t.Context(), Batch{Records: []Record{sag(2, 1, `{}`)}, DeadLetters: []DeadLetter{letter}, Moves: tt.moves})
			written := pgtest.Lines(t, s.pool, `SELECT (SELECT count(*) FROM parliamentary_data), (SELECT count(*) FROM dead_letters)`)
			if tt.lost != "" {
				if !errors.Is(err, ErrOffsetConflict) || !strings.Contains(err.Error(), tt.lost) {
					t.Errorf("Apply = %v, want ErrOffsetConflict that names %s", err, tt.lost)
				}
				if written != "0 0" { // Invariant 2
					t.Errorf("rows and dead letters after a lost move: %s, want 0 0", written)
				}
				if diff := cmp.Diff(before, positions(t, s)); diff != "" {
					t.Errorf("positions after a lost move (-before +after):\n%s", diff)
				}
				return
			}
			if err != nil || written != "1 1" {
				t.Errorf("Apply = %v, rows and dead letters %s, want 1 1", err, written)
			}
			got := positions(t, s)
			for _, m := range tt.moves {
				if want := (schema.Position{TopicID: m.TopicID, Next: m.To}); !cmp.Equal(got[m.TopicPartition], want) {
					t.Errorf("position of %v = %+v, want %+v", m.TopicPartition, got[m.TopicPartition], want)
				}
			}
		})
	}
}

// positions returns Positions without the times.
func positions(t *testing.T, s *Store) map[schema.TopicPartition]schema.Position {
	t.Helper()
	got, err := s.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for tp, p := range got {
		if p.StoredAt.IsZero() {
			t.Errorf("position of %v has no time", tp)
		}
		got[tp] = schema.Position{TopicID: p.TopicID, Next: p.Next}
	}
	return got
}

func TestGroupsKeepTheirOwnOffsets(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	other := New(s.pool, "other", Config{}, quiet())
	for _, store := range []*Store{s, other} {
		if _, err := store.Apply(t.Context(), Batch{Moves: []Move{{sagZero, topic, schema.NoOffset, 7}}}); err != nil {
			t.Errorf("Apply of group %s: %v", store.group, err)
		}
	}
	if _, err := other.Apply(t.Context(), Batch{Moves: []Move{{sagZero, topic, 7, 8}}}); err != nil {
		t.Fatal(err)
	}
	if got := positions(t, s)[sagZero].Next; got != 7 {
		t.Errorf("offset of the first group = %d, want 7", got)
	}
}

// Two sinks write the same partitions: each offset is moved by only one of them.
func TestOneOfTwoWritersMovesTheOffset(t *testing.T) {
	t.Parallel()
	a := newStore(t)
	b := New(open(t, a.pool.Config().ConnString()), "test", Config{}, quiet())
	const steps = 20
	var moved [2]int
	var wg sync.WaitGroup
	for i, s := range []*Store{a, b} {
		wg.Go(func() {
			for step := range int64(steps) {
				from := step
				_, err := s.Apply(context.Background(), Batch{Records: []Record{sag(2*step, 1, `{}`)}, Moves: []Move{{sagZero, topic, from, from + 1}}})
				switch {
				case err == nil:
					moved[i]++
				case !errors.Is(err, ErrOffsetConflict):
					t.Errorf("Apply from %d: %v, want nil or ErrOffsetConflict", from, err)
				}
			}
		})
	}
	wg.Wait()
	if got := moved[0] + moved[1]; got != steps {
		t.Errorf("moves = %v, in all %d, want %d", moved, got, steps)
	}
	if got := positions(t, a)[sagZero].Next; got != steps {
		t.Errorf("offset = %d, want %d", got, steps)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	at5 := schema.Position{TopicID: topic, Next: 5}
	for claim, tt := range map[string]struct {
		before   []Move
		was, now schema.Position
		want     error
	}{
		"a log that begins late":                 {now: schema.Position{TopicID: topic, Next: 40}},
		"a recreated topic":                      {before: []Move{{sagZero, topic, 0, 5}}, was: at5, now: schema.Position{TopicID: newID, Next: 0}},
		"an offset outside the topic":            {before: []Move{{sagZero, topic, 0, 5}}, was: at5, now: schema.Position{TopicID: topic, Next: 2}},
		"another writer moved on":                {before: []Move{{sagZero, topic, 0, 6}}, was: at5, now: schema.Position{TopicID: newID, Next: 0}, want: ErrOffsetConflict},
		"another writer saw the new topic first": {before: []Move{{sagZero, newID, 0, 5}}, was: at5, now: schema.Position{TopicID: newID, Next: 0}, want: ErrOffsetConflict},
		"another writer was the first":           {before: []Move{{sagZero, topic, 0, 5}}, now: schema.Position{TopicID: topic, Next: 40}, want: ErrOffsetConflict},
		"the offset is gone":                     {was: at5, now: schema.Position{TopicID: newID, Next: 0}, want: ErrOffsetConflict},
	} {
		t.Run(claim, func(t *testing.T) {
			empty(t, s.pool)
			if _, err := s.Apply(t.Context(), Batch{Moves: tt.before}); err != nil {
				t.Fatal(err)
			}
			want := positions(t, s)
			if tt.want == nil {
				want[sagZero] = tt.now
			}
			if err := s.Reset(t.Context(), sagZero, tt.was, tt.now); !errors.Is(err, tt.want) {
				t.Errorf("Reset = %v, want %v", err, tt.want)
			}
			if diff := cmp.Diff(want, positions(t, s), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("positions (-want +got):\n%s", diff)
			}
		})
	}
}
