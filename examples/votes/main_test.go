package main

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/examples/internal/newsroom"
	"odastream/internal/test/machine"
	"odastream/schema"
	"odastream/stream"
)

// lines keeps the output, and calls end at the second line.
type lines struct {
	all []string
	end func()
}

func (l *lines) Write(p []byte) (int, error) {
	if l.all = append(l.all, string(p)); len(l.all) == 2 {
		l.end()
	}
	return len(p), nil
}

func TestVotesArePrintedOnce(t *testing.T) {
	t.Parallel()
	n := newsroom.Open(t, "Afstemning")
	n.Publish(t,
		newsroom.Change("Afstemning", 10529, 1, schema.Snapshot, `{"nummer":6,"vedtaget":true}`),
		newsroom.Change("Afstemning", 10530, 2, schema.Create, `{"nummer":7,"vedtaget":true,"konklusion":"Vedtaget\n\n108 stemmer for forslaget (V, S)\n\n"}`),
		newsroom.Change("Afstemning", 10530, 3, schema.Update, `{"nummer":7,"vedtaget":false}`),
		newsroom.Change("Afstemning", 10531, 4, schema.Create, `{"nummer":8,"vedtaget":false,"konklusion":"Forkastet"}`),
	)
	ctx, cancel := context.WithCancel(machine.Context(t, "the last change"))
	defer cancel()
	out := &lines{end: cancel}
	err := follow(ctx, stream.Subscription{Config: n.Config, Entities: []string{"Afstemning"}}, out)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("follow = %v, want the end of its context", err)
	}
	want := []string{
		"vote 7 (10530) passed: Vedtaget 108 stemmer for forslaget (V, S)\n",
		"vote 8 (10531) rejected: Forkastet\n",
	}
	if diff := cmp.Diff(want, out.all); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestAnInvalidVoteIsNamed(t *testing.T) {
	t.Parallel()
	got := line(newsroom.Change("Afstemning", 5, 1, schema.Create, `{"nummer":"x"}`))
	if want := "vote 5: json: cannot unmarshal"; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("line = %q, want %q…", got, want)
	}
}

func TestNoTopicIsSaid(t *testing.T) {
	t.Parallel()
	n := newsroom.Open(t, "Sag")
	err := follow(t.Context(), stream.Subscription{Config: n.Config, Entities: []string{"Afstemning"}}, &lines{})
	if !errors.Is(err, stream.ErrNoTopic) {
		t.Errorf("follow = %v, want ErrNoTopic", err)
	}
}
