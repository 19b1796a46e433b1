package apply

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

// spanOf makes a span of records of one byte each, at the given offsets.
func spanOf(topic string, partition int32, from int64, offsets ...int64) stream.Span {
	s := stream.Span{TopicPartition: schema.TopicPartition{Topic: topic, Partition: partition}, From: from}
	for _, o := range offsets {
		s.Records = append(s.Records, &kgo.Record{Topic: topic, Partition: partition, Offset: o, Value: []byte("x")})
	}
	s.To = offsets[len(offsets)-1] + 1
	return s
}

// sketch writes segments as "a/0 3>5 3,4" for from, to and offsets.
func sketch(segs []segment) []string {
	var out []string
	for _, seg := range segs {
		var offsets []string
		for _, it := range seg.items {
			offsets = append(offsets, fmt.Sprint(it.record.Offset))
		}
		out = append(out, fmt.Sprintf("%s %d>%d %s", seg.TopicPartition, seg.From, seg.To, strings.Join(offsets, ",")))
	}
	return out
}

func segmentsOf(spans ...stream.Span) []segment {
	var segs []segment
	for _, s := range spans {
		segs = append(segs, newSegment(stream.Config{}, s))
	}
	return segs
}

func TestSplitLosesNothingAndLeavesNoGap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var spans []stream.Span
		next := map[int32]int64{}
		for range rapid.IntRange(1, 5).Draw(t, "spans") {
			p := rapid.Int32Range(0, 2).Draw(t, "partition")
			from, at := next[p], next[p]
			var offsets []int64
			for range rapid.IntRange(1, 6).Draw(t, "records") {
				at += rapid.Int64Range(0, 3).Draw(t, "gap")
				offsets = append(offsets, at)
				at++
			}
			spans = append(spans, spanOf("a", p, from, offsets...))
			next[p] = at
		}
		segs := segmentsOf(spans...)
		n := rapid.IntRange(0, count(segs)).Draw(t, "n")
		left, right := split(segs, n)
		if count(left) != n || count(left)+count(right) != count(segs) {
			t.Fatalf("split(%v, %d) = %v and %v", sketch(segs), n, sketch(left), sketch(right))
		}
		at := map[int32]int64{}
		for _, seg := range append(slices.Clip(left), right...) {
			if seg.From != at[seg.Partition] {
				t.Fatalf("split(%v, %d): partition %d goes on at %d, want %d", sketch(segs), n, seg.Partition, seg.From, at[seg.Partition])
			}
			for _, it := range seg.items {
				if it.record.Offset < seg.From || it.record.Offset >= seg.To {
					t.Fatalf("split(%v, %d): record %d outside of its segment", sketch(segs), n, it.record.Offset)
				}
			}
			at[seg.Partition] = seg.To
		}
		if diff := cmp.Diff(next, at); diff != "" {
			t.Fatalf("split(%v, %d) ends elsewhere (-want +got):\n%s", sketch(segs), n, diff)
		}
	})
}

func TestBatchMovesEachPartitionOnce(t *testing.T) {
	t.Parallel()
	segs := segmentsOf(spanOf("a", 0, -1, 4, 5), spanOf("a", 1, 7, 7), spanOf("a", 0, 6, 9))
	got := makeBatch(segs).Moves
	want := []cache.Move{
		{TopicPartition: schema.TopicPartition{Topic: "a", Partition: 0}, From: -1, To: 10},
		{TopicPartition: schema.TopicPartition{Topic: "a", Partition: 1}, From: 7, To: 8},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}

func TestSplitAtStoredKeepsWhatContinuesTheStoredOffset(t *testing.T) {
	t.Parallel()
	id, other := [16]byte{1}, [16]byte{2}
	cases := map[string]struct {
		stored *schema.Position
		keep   []string
		lost   bool
	}{
		"all, if they begin at the stored offset":   {&schema.Position{TopicID: id, Next: 3}, []string{"a/0 3>5 3,4", "a/0 5>6 5"}, false},
		"the rest, if the first was applied":        {&schema.Position{TopicID: id, Next: 5}, []string{"a/0 5>6 5"}, false},
		"nothing, if all was applied":               {&schema.Position{TopicID: id, Next: 6}, nil, false},
		"nothing, if another sink moved the offset": {&schema.Position{TopicID: id, Next: 4}, nil, true},
		"nothing, if the topic was recreated":       {&schema.Position{TopicID: other, Next: 3}, nil, true},
		"nothing, if the store has lost the offset": {nil, nil, true},
	}
	for claim, c := range cases {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			segs := segmentsOf(spanOf("a", 0, 3, 3, 4), spanOf("a", 0, 5, 5))
			for i := range segs {
				segs[i].TopicID = id
			}
			stored := map[schema.TopicPartition]schema.Position{}
			if c.stored != nil {
				stored[schema.TopicPartition{Topic: "a"}] = *c.stored
			}
			keep, lost := splitAtStored(segs, stored)
			if diff := cmp.Diff(c.keep, sketch(keep)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if got := len(lost) > 0; got != c.lost {
				t.Errorf("lost = %v, want %v", lost, c.lost)
			}
		})
	}
}

func TestPendingFillsBatchesByRowsAndBytes(t *testing.T) {
	t.Parallel()
	large := spanOf("a", 0, 0, 0, 1, 2)
	large.Records[1].Value = make([]byte, 100)
	cases := map[string]struct {
		cfg  Config
		span stream.Span
		full [][]string
		rest []string
	}{
		"less than a batch waits":             {Config{BatchRows: 5, BatchBytes: 99}, spanOf("a", 0, 0, 0, 1), nil, []string{"a/0 0>2 0,1"}},
		"rows fill a batch exactly":           {Config{BatchRows: 2, BatchBytes: 99}, spanOf("a", 0, 0, 0, 1), [][]string{{"a/0 0>2 0,1"}}, nil},
		"a span is cut at the row limit":      {Config{BatchRows: 2, BatchBytes: 99}, spanOf("a", 0, 0, 0, 1, 4, 5, 6), [][]string{{"a/0 0>2 0,1"}, {"a/0 2>6 4,5"}}, []string{"a/0 6>7 6"}},
		"a span is cut at the byte limit":     {Config{BatchRows: 9, BatchBytes: 2}, spanOf("a", 0, 0, 0, 1, 2), [][]string{{"a/0 0>2 0,1"}}, []string{"a/0 2>3 2"}},
		"a record above the limit goes alone": {Config{BatchRows: 9, BatchBytes: 10}, large, [][]string{{"a/0 0>1 0"}, {"a/0 1>2 1"}}, []string{"a/0 2>3 2"}},
	}
	for claim, c := range cases {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			p := pending{cfg: c.cfg}
			var full [][]string
			for _, segs := range p.add(c.span) {
				full = append(full, sketch(segs))
			}
			if diff := cmp.Diff(c.full, full); diff != "" {
				t.Errorf("full batches (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.rest, sketch(p.segs)); diff != "" {
				t.Errorf("still waiting (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDelayGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	s := &Sink{shortWait: 250 * time.Millisecond, longWait: 30 * time.Second}
	for try := range 100 {
		most := 30 * time.Second
		if try < 7 {
			most = 250 * time.Millisecond << try
		}
		if got := s.delay(try); got < most/2 || got > most {
			t.Errorf("delay(%d) = %s, want %s to %s", try, got, most/2, most)
		}
	}
}
