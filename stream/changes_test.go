package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/machine"
	"odastream/schema"
)

// follow returns the event ids of the next n changes, in order, and breaks the loop at
// the last one.
func (b *bench) follow(t *testing.T, sub Subscription, n int) (events []string) {
	t.Helper()
	sub.Config = b.cfg
	ctx := machine.Context(t, fmt.Sprintf("%d changes", n))
	for c, err := range Changes(ctx, sub) {
		if err != nil {
			t.Fatalf("Changes after %d of %d: %v (%v)", len(events), n, err, context.Cause(ctx))
		}
		if events = append(events, c.EventID()+" "+string(c.Action)); len(events) == n {
			break
		}
	}
	return events
}

func TestChangesComeInOrderAndDeletesOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		b.ensure(t, "Sag", "Stemme")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 1), remove("Sag", 1, 2), update("Sag", 1, 3), update("Sag", 2, 4), remove("Sag", 2, 5))
		publish(t, p, update("Sag", 9, 6))
		publish(t, p, update("Stemme", 7, 7))
		got := b.follow(t, Subscription{Entities: []string{"sag"}}, 6)
		want := []string{"Sag:1:1 update", "Sag:2:4 update", "Sag:1:2 delete", "Sag:2:5 delete", "Sag:1:3 update", "Sag:9:6 update"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// A change that the loop has continued from does not come again; the last one does.
func TestAGroupContinuesWhereItsLoopEnded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		b.ensure(t, "Sag")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 1), update("Sag", 2, 2), update("Sag", 3, 3))
		sub := Subscription{Entities: []string{"Sag"}, Group: b.cfg.TopicPrefix + "newsroom"}
		first := b.follow(t, sub, 2)
		second := b.follow(t, sub, 2)
		want := [][]string{{"Sag:1:1 update", "Sag:2:2 update"}, {"Sag:2:2 update", "Sag:3:3 update"}}
		if diff := cmp.Diff(want, [][]string{first, second}); diff != "" {
			t.Errorf("changes of two loops (-want +got):\n%s", diff)
		}
		// A loop that ctx ends commits what it has continued from, too.
		ctx, stop := context.WithCancel(machine.Context(t, "one change more"))
		defer stop()
		sub.Config = b.cfg
		var last error
		for _, err := range Changes(ctx, sub) {
			last = err
			stop() // the change in hand is done with: the loop asks for the next
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("loop ended with %v, want that of its context", last)
		}
		publish(t, p, update("Sag", 4, 4))
		if diff := cmp.Diff([]string{"Sag:4:4 update"}, b.follow(t, sub, 1)); diff != "" {
			t.Errorf("changes behind the end (-want +got):\n%s", diff)
		}
	})
}

func TestNewChangesStartsAtTheEnd(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	p := b.publisher(t)
	publish(t, p, update("Sag", 1, 1))
	sub := Subscription{Config: b.cfg, Entities: []string{"Sag"}, New: true}
	ctx, stop := context.WithCancel(machine.Context(t, "the first change"))
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The loop begins at some moment after this: one of these is the first.
		for seq := int64(2); ctx.Err() == nil; seq++ {
			if _, err := p.Publish(ctx, []schema.Change{update("Sag", 1, seq)}); err != nil {
				return
			}
		}
	}()
	var first schema.Change
	for c, err := range Changes(ctx, sub) {
		if err != nil {
			t.Fatal(err)
		}
		first = c
		break
	}
	stop()
	<-done
	if first.Seq < 2 {
		t.Errorf("first change has seq %d, want one that was published later", first.Seq)
	}
}

// Compaction removes a delete before its tombstone: the tombstone then yields the delete.
func TestATombstoneAloneIsADelete(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	tombstone := &kgo.Record{
		Topic: b.cfg.Topic("Sag"), Key: []byte("Sag:1"), Headers: []kgo.RecordHeader{{Key: headerID, Value: []byte("Sag:1:5")}},
	}
	if err := b.cl.ProduceSync(t.Context(), tombstone).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Sag:1:5 delete"}, b.follow(t, Subscription{Entities: []string{"Sag"}}, 1)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestAnUndecodableRecordDoesNotEndTheLoop(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	bad := &kgo.Record{Topic: b.cfg.Topic("Sag"), Key: []byte("Sag:1"), Value: []byte("{")}
	if err := b.cl.ProduceSync(t.Context(), bad).FirstErr(); err != nil {
		t.Fatal(err)
	}
	publish(t, b.publisher(t), update("Sag", 1, 9))
	var got []string
	for c, err := range Changes(machine.Context(t, "the change behind the bad record"), Subscription{Config: b.cfg, Entities: []string{"Sag"}}) {
		var decode *DecodeError
		switch {
		case errors.As(err, &decode):
			place := fmt.Sprintf("topic %s partition %d offset %d: ", bad.Topic, bad.Partition, bad.Offset)
			got = append(got, fmt.Sprint(decode.Class, " ", strings.HasPrefix(err.Error(), place)))
			continue
		case err != nil:
			t.Fatal(err)
		}
		got = append(got, c.EventID())
		break
	}
	if diff := cmp.Diff([]string{"decode true", "Sag:1:9"}, got); diff != "" {
		t.Errorf("loop gave (-want +got):\n%s", diff)
	}
}

func TestErrorsThatEndALoopAtOnce(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for claim, tt := range map[string]struct {
		ctx  context.Context
		sub  Subscription
		want func(error) bool
	}{
		"no entity":      {t.Context(), Subscription{Config: b.cfg}, func(err error) bool { return strings.Contains(err.Error(), "no entity") }},
		"unknown entity": {t.Context(), Subscription{Config: b.cfg, Entities: []string{"Sagg"}}, func(err error) bool { return strings.Contains(err.Error(), "Sagg") }},
		"no such topic": {t.Context(), Subscription{Config: b.cfg, Entities: []string{"Stemme"}}, func(err error) bool {
			return errors.Is(err, ErrNoTopic) && strings.Contains(err.Error(), "Stemme")
		}},
		"a context that is over": {over, Subscription{Config: b.cfg, Entities: []string{"Sag"}}, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		n := 0
		for _, err := range Changes(tt.ctx, tt.sub) {
			if n++; err == nil || !tt.want(err) || n > 1 {
				t.Errorf("%s: Changes gives %v (%d)", claim, err, n)
			}
		}
		if n == 0 {
			t.Errorf("%s: Changes says nothing", claim)
		}
	}
}
