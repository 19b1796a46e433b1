package capture

import (
	"maps"
	"slices"

	"odastream/schema"
	"odastream/stream"
)

// positions are the offsets up to which the ledger agrees with the topic, by
// partition. Where another poller's record is between those of this one, the
// position stays before it, so that the next fold reads it.
type positions struct {
	at map[int32]schema.Position
}

// newPositions returns the positions in a topic that was read up to these offsets.
func newPositions(topic stream.TopicState, next []int64) *positions {
	p := &positions{at: make(map[int32]schema.Position, len(next))}
	for partition, offset := range next {
		p.at[int32(partition)] = schema.Position{TopicID: topic.ID, Next: offset, Start: topic.Start[partition]}
	}
	return p
}

// add moves the positions past acknowledged records that follow without a gap.
func (p *positions) add(acks []stream.Ack) {
	offsets := map[int32][]int64{}
	for _, a := range acks {
		offsets[a.Partition] = append(offsets[a.Partition], a.Offset)
	}
	for partition, list := range offsets {
		slices.Sort(list)
		at := p.at[partition]
		for _, offset := range list {
			if offset == at.Next {
				at.Next++
			}
		}
		p.at[partition] = at
	}
}

// all returns a copy of the positions.
func (p *positions) all() map[int32]schema.Position { return maps.Clone(p.at) }
