package stream

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// bombs writes a good change before and after each of six bombs.
func (b *bench) bombs(t *testing.T) {
	t.Helper()
	b.single(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	bomb := kafkatest.NewBomb(t, "Sag:1", 300<<20)
	for i := range int64(6) {
		publish(t, p, update("Sag", i+1, i+1))
		bomb.Produce(t, b.cfg.Brokers, b.cfg.Topic("Sag"), 0)
	}
	publish(t, p, update("Sag", 7, 7))
}

const bombMemory = 250 << 20 // of a reader of bombs, garbage included

// wantBombs compares what a reader of bombs' topic saw.
func wantBombs(t *testing.T, took uint64, saw []string) {
	t.Helper()
	var want []string
	for i := range 6 {
		want = append(want, fmt.Sprintf("Sag:%d", i+1), fmt.Sprintf("batch at %d", 2*i+1))
	}
	if want = append(want, "Sag:7"); !slices.Equal(saw, want) {
		t.Errorf("read %q, want %q", saw, want)
	}
	t.Logf("%d MiB", took>>20)
	if took > bombMemory {
		t.Errorf("six bombs of 300 MiB took %d MiB, want %d at most", took>>20, bombMemory>>20)
	}
}

// seen describes a record or the batch that it stands for.
func seen(rec *kgo.Record) string {
	_, err := Decode(rec)
	if large, ok := errors.AsType[*LargeBatchError](err); ok {
		return fmt.Sprintf("batch at %d", large.First)
	}
	return string(rec.Key)
}

func TestReadLogPassesBatchesThatAreTooLarge(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	b := onFake(t)
	b.bombs(t)
	var saw []string
	took := machine.PeakHeap(func() {
		for _, rec := range b.records(t, "Sag") {
			saw = append(saw, seen(rec))
		}
	})
	wantBombs(t, took, saw)
}

func TestConsumersPassBatchesThatAreTooLarge(t *testing.T) { //nolint:paralleltest // as above
	b := onFake(t)
	b.bombs(t)
	c, err := NewDirectConsumer(t.Context(), b.cfg, storeless(), b.log.logger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var saw []string
	next := int64(0)
	took := machine.PeakHeap(func() {
		for {
			spans, err := c.Poll(t.Context(), 1000, time.Second)
			if errors.Is(err, ErrEnd) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			for _, s := range spans {
				if want := max(next, s.From); s.From != want && s.From >= 0 {
					t.Errorf("a span begins at %d, want %d", s.From, next)
				}
				next = s.To
				for _, rec := range s.Records {
					saw = append(saw, seen(rec))
				}
			}
		}
	})
	wantBombs(t, took, saw)
	if next != 13 {
		t.Errorf("the offset after all is %d, want 13", next)
	}
}

func TestChangesPassBatchesThatAreTooLarge(t *testing.T) { //nolint:paralleltest // as above
	b := onFake(t)
	b.bombs(t)
	var saw []string
	took := machine.PeakHeap(func() {
		for change, err := range Changes(t.Context(), Subscription{Config: b.cfg, Entities: []string{"Sag"}}) {
			if large, ok := errors.AsType[*LargeBatchError](err); ok {
				saw = append(saw, fmt.Sprintf("batch at %d", large.First))
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			if saw = append(saw, change.Key()); change.ID == 7 {
				return
			}
		}
	})
	wantBombs(t, took, saw)
}

func TestOffsetAfter(t *testing.T) {
	t.Parallel()
	large := standIn(&kgo.ErrDecompressTooLarge{Topic: "t", Partition: 1, Offset: 7, NextOffset: 12}, 0)
	if got := offsetAfter(large); got != 12 {
		t.Errorf("offset after a batch = %d, want 12", got)
	}
	if got := offsetAfter(&kgo.Record{Offset: 7}); got != 8 {
		t.Errorf("offset after a record = %d, want 8", got)
	}
	if got := standIn(&kgo.ErrDecompressTooLarge{Offset: 7, NextOffset: 12}, 9).Offset; got != 9 {
		t.Errorf("a batch read from its midst stands at %d, want 9", got)
	}
}
