package capture

import (
	"testing"

	"odastream/stream"
)

// A position that passed another poller's record would hide it from the next fold.
func TestPositionsStopBeforeAnotherPollersRecord(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		acks []stream.Ack
		want int64
	}{
		"in order":                    {[]stream.Ack{{Offset: 5}, {Offset: 6}}, 7},
		"in any order":                {[]stream.Ack{{Offset: 6}, {Offset: 5}}, 7},
		"before a gap":                {[]stream.Ack{{Offset: 5}, {Offset: 7}}, 6},
		"behind a gap":                {[]stream.Ack{{Offset: 6}, {Offset: 7}}, 5},
		"an ack of another partition": {[]stream.Ack{{Partition: 1, Offset: 0}}, 5},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			p := newPositions(stream.TopicState{ID: [16]byte{1}, Start: []int64{0, 0}}, []int64{5, 0})
			p.add(c.acks)
			if got := p.all()[0].Next; got != c.want {
				t.Errorf("position is %d, want %d", got, c.want)
			}
		})
	}
}
