package stream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
		// The operator made the topic anew and told so.
		p.Expect("Sag", 4)
		publish(t, p, update("Sag", 9, 9))
	})
}

// awaitRefusal publishes until the client has seen the new partitions.
func (b *bench) awaitRefusal(t *testing.T, p *Publisher) error {
	t.Helper()
	ctx := within(t, 30*time.Second)
	for seq := int64(2); ; seq++ {
		p.cl.ForceMetadataRefresh()
		_, err := p.Publish(ctx, []schema.Change{update("Sag", 1, seq)})
		if errors.Is(err, ErrPartitionsChanged) {
			return err
		}
		if err != nil {
			t.Fatalf("Publish = %v, want ErrPartitionsChanged", err)
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

func TestATopicMadeAnewIsPublishedToByTheSamePublisher(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 1))
		if _, err := b.topics.adm.DeleteTopic(t.Context(), b.cfg.Topic("Sag")); err != nil {
			t.Fatal(err)
		}
		b.awaitNoTopic(t, "Sag")
		b.ensure(t, "Sag")
		ctx := within(t, 60*time.Second)
		tick := time.NewTicker(visibleEvery)
		defer tick.Stop()
		for {
			_, err := p.Publish(ctx, []schema.Change{update("Sag", 1, 2)})
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				t.Fatalf("Publish = %v, want it to work in the end", err)
			case <-tick.C:
			}
		}
		if got := keys(b.records(t, "Sag")); !cmp.Equal(got, []string{"Sag:1:2"}) {
			t.Errorf("topic has %v, want what was published to it", got)
		}
	})
}
