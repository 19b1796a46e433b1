package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"odastream/examples/internal/newsroom"
	"odastream/internal/test/machine"
	"odastream/schema"
	"odastream/stream"
)

// pen writes into a buffer and calls end at a certain line.
type pen struct {
	bytes.Buffer
	last string
	end  func()
	fail error
}

func (p *pen) Write(b []byte) (int, error) {
	if p.fail != nil {
		return 0, p.fail
	}
	if strings.Contains(string(b), p.last) {
		p.end()
	}
	return p.Buffer.Write(b)
}

func found(id, seq int64, action schema.Action, origin schema.Origin, changed ...string) schema.Change {
	c := newsroom.Change("Afstemning", id, seq, action, `{}`)
	c.Origin, c.Changed = origin, changed
	if action == schema.Delete {
		c.Data = nil
	}
	return c
}

func TestOnlySilentEditsAreAlerted(t *testing.T) {
	t.Parallel()
	n := newsroom.Open(t, "Afstemning")
	n.Publish(t,
		found(1, 1, schema.Create, schema.OriginScan), // a late row
		found(2, 2, schema.Update, schema.OriginTail, "kommentar"),
		found(3, 3, schema.Update, schema.OriginScan, "vedtaget", "sagstrinid"),
		found(4, 4, schema.Delete, schema.OriginScan),
		found(5, 5, schema.Update, schema.OriginScan), // before its names were known
	)
	ctx, cancel := context.WithCancel(machine.Context(t, "the last change"))
	defer cancel()
	out := &pen{last: "Afstemning:5", end: cancel}
	if err := watch(ctx, stream.Subscription{Config: n.Config, Entities: []string{"Afstemning"}, Group: "g"}, out); !errors.Is(err, context.Canceled) {
		t.Errorf("watch = %v, want the end of its context", err)
	}
	want := "1970-01-01 00:00 Afstemning:3 changed vedtaget, sagstrinid, still stamped 2026-11-23T16:09:58.347\n" +
		"1970-01-01 00:00 Afstemning:5 changed its members, still stamped 2026-11-23T16:09:58.347\n"
	if out.String() != want {
		t.Errorf("alerts:\n%s\nwant:\n%s", out, want)
	}
}

// An alert that could not be printed is printed at the next start.
func TestAnAlertThatFailsComesAgain(t *testing.T) {
	t.Parallel()
	n := newsroom.Open(t, "Afstemning")
	n.Publish(t, found(3, 3, schema.Update, schema.OriginScan, "vedtaget"))
	watched := stream.Subscription{Config: n.Config, Entities: []string{"Afstemning"}, Group: "g"}
	full := errors.New("nobody listens")
	ctx, cancel := context.WithCancel(machine.Context(t, "the last change"))
	defer cancel()
	if err := watch(ctx, watched, &pen{fail: full}); !errors.Is(err, full) {
		t.Fatalf("watch = %v, want %v", err, full)
	}
	out := &pen{last: "Afstemning:3", end: cancel}
	if err := watch(ctx, watched, out); !errors.Is(err, context.Canceled) || out.Len() == 0 {
		t.Errorf("watch once more = %v, %q, want the alert", err, out)
	}
}
