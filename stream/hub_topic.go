package stream

import (
	"cmp"
	"slices"
	"time"

	"odastream/schema"
)

// hubTopic is a topic that a Hub follows. Another object takes its place if the topic is
// made, deleted or recreated.
type hubTopic struct {
	entity, name string
	id           [16]byte
	tag          uint32
	keeps        time.Duration   // how long the topic keeps tombstones
	parts        []*hubPartition // by number; none: the topic does not exist
	replaced     bool            // another object has taken its place; guarded by Hub.mu
}

// hubPartition holds the newest records of a partition. Hub.mu guards all but topic,
// number and trouble.
type hubPartition struct {
	topic   *hubTopic
	number  int32
	trouble string // why it yields no records, as logged last; Run's own

	leader int32
	start  int64 // the first offset of the partition
	from   int64 // the records from this offset on are in held
	next   int64 // up to this one
	end    int64 // the partition's end as last seen; may be above next
	held   []heldChange
}

// heldChange is a change in a Hub's memory. Records that are no changes are left out.
type heldChange struct {
	Message
	offset  int64
	next    int64  // the offset after it
	arrived uint64 // its number among all that the hub has received
}

// changeMemory is what a change takes beside its data, in bytes.
const changeMemory = 512

func (c heldChange) size() int { return changeMemory + len(c.Change.Data) }

// after returns what is held from an offset on.
func (p *hubPartition) after(at int64) []heldChange {
	i, _ := slices.BinarySearchFunc(p.held, at, func(c heldChange, at int64) int { return cmp.Compare(c.offset, at) })
	return p.held[i:]
}

// forget drops everything that is held: reading goes on at an offset.
func (p *hubPartition) forget(next int64) (dropped []heldChange) {
	dropped, p.held, p.from, p.next = p.held, nil, next, next
	return dropped
}

// keyHash is a hash of a change's key for Cursor.deleted.
func keyHash(c schema.Change) uint64 {
	return uint64(schema.ChecksumOf(schema.AppendKey(nil, c.Entity, c.ID))) //nolint:gosec // the bits count, not the sign
}
