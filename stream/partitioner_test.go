package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/machine"
	"odastream/schema"
)

func TestATopicWhosePartitionsChangedIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 1))
		if _, err := b.topics.adm.CreatePartitions(t.Context(), 1, b.cfg.Topic("Sag")); err != nil {
			t.Fatal(err)
		}
		err := b.awaitRefusal(t, p)
		if !strings.Contains(err.Error(), "has 4 partitions, had 3") {
			t.Errorf("Publish = %v, want both numbers", err)
		}
		// The operator recreated the topic and called Expect.
		p.Expect("Sag", 4)
		publish(t, p, update("Sag", 9, 9))
	})
}

// awaitRefusal publishes until the client has seen the new partitions.
func (b *bench) awaitRefusal(t *testing.T, p *Publisher) error {
	t.Helper()
	ctx := machine.Context(t, "the refusal")
	for seq := int64(2); ; seq++ {
		p.cl.ForceMetadataRefresh()
		_, err := p.Publish(ctx, []schema.Change{update("Sag", 1, seq)})
		if errors.Is(err, ErrPartitionsChanged) {
			return err
		}
		if err != nil {
			t.Fatalf("Publish = %v, want ErrPartitionsChanged (%v)", err, context.Cause(ctx))
		}
	}
}

func TestExpectHoldsBeforeTheFirstPublish(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	p.Expect("Sag", 4)
	_, err := p.Publish(t.Context(), []schema.Change{update("Sag", 1, 1)})
	if !errors.Is(err, ErrPartitionsChanged) {
		t.Errorf("Publish to 3 partitions, 4 expected = %v, want ErrPartitionsChanged", err)
	}
}

func TestARecreatedTopicIsPublishedToByTheSamePublisher(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 1))
		b.recreate(t, "Sag")
		var err error
		wait := machine.Wait{For: "Publish to work in the end", Details: func() string { return fmt.Sprint(err) }}
		wait.Until(t, func() bool {
			_, err = p.Publish(t.Context(), []schema.Change{update("Sag", 1, 2)})
			return err == nil
		})
		if got := keys(b.records(t, "Sag")); !cmp.Equal(got, []string{"Sag:1:2"}) {
			t.Errorf("topic has %v, want what was published to it", got)
		}
	})
}
