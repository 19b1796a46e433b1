package stream

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// ErrBadCursor is wrapped by the error of ParseCursor for a text that is no cursor: it was
// cut, changed, or made by something else.
var ErrBadCursor = errors.New("not a cursor")

// Cursor is a place in the topics of some entities: everything before it was read, and
// nothing after it. Topics' offsets make it safe: a cursor by seq or by time would skip
// the records of a topic that lags. The zero value is a place in no topic. A Cursor is
// not modified after it was made.
type Cursor struct {
	// since is when its reader was last at the end of all topics, or began. A reader that
	// is away for longer than a topic keeps tombstones may miss deletes.
	since  time.Time
	places []place // by growing tag
	// deleted are hashes of the keys whose delete was read but not yet its tombstone.
	deleted []uint64
}

// place is a place in one topic.
type place struct {
	tag  uint32  // of the topic and its id: a recreated topic has another
	next []int64 // offset of the next record to read, by partition
}

// Limits of a cursor's text.
const (
	cursorVersion = 1
	maxCursorText = 16 << 10
	maxSince      = 1 << 36 // seconds since 1970
	// maxDeleted is more deletes than are ever read just before their tombstones. Beyond
	// it a delete may come twice.
	maxDeleted = 64
)

// String returns the cursor as text that is safe in a URL: some ten letters for a topic.
// ParseCursor reads it.
func (c Cursor) String() string {
	b := binary.AppendUvarint([]byte{cursorVersion}, uint64(max(c.since.Unix(), 0)))
	b = binary.AppendUvarint(b, uint64(len(c.places)))
	for _, p := range c.places {
		b = binary.BigEndian.AppendUint32(b, p.tag)
		b = binary.AppendUvarint(b, uint64(len(p.next)))
		for _, n := range p.next {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.deleted)))
	for _, d := range c.deleted {
		b = binary.BigEndian.AppendUint64(b, d)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads the text of a Cursor. It takes only what String returns; all else
// wraps ErrBadCursor.
func ParseCursor(text string) (Cursor, error) {
	bad := func(why string) (Cursor, error) {
		return Cursor{}, fmt.Errorf("read cursor %q: %s: %w", cut(text, 64), why, ErrBadCursor)
	}
	if len(text) > maxCursorText {
		return bad("it is too long")
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 1+crc32.Size {
		return bad("it is not base64url, or too short")
	}
	body, sum := b[:len(b)-crc32.Size], b[len(b)-crc32.Size:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return bad("its checksum is wrong")
	}
	if body[0] != cursorVersion {
		return bad(fmt.Sprintf("its version is %d, not %d", body[0], cursorVersion))
	}
	p := cursorParser{rest: body[1:]}
	c := p.cursor()
	if p.failed || len(p.rest) > 0 || c.String() != text {
		return bad("its parts are wrong")
	}
	return c, nil
}

// cursorParser reads the parts of a cursor. After a part that is wrong all are 0.
type cursorParser struct {
	rest   []byte
	failed bool
}

func (p *cursorParser) cursor() (c Cursor) {
	c.since = time.Unix(int64(p.number(maxSince)), 0)
	for range p.length(5) {
		at := place{tag: uint32(p.fixed(4))}
		for range p.length(1) {
			at.next = append(at.next, int64(p.number(math.MaxInt64)))
		}
		if n := len(c.places); n > 0 && c.places[n-1].tag >= at.tag {
			p.failed = true
		}
		c.places = append(c.places, at)
	}
	for range p.length(8) {
		c.deleted = append(c.deleted, p.fixed(8))
	}
	return c
}

// number reads a number of at most most.
func (p *cursorParser) number(most uint64) uint64 {
	n, used := binary.Uvarint(p.rest)
	if used <= 0 || n > most {
		p.failed, p.rest = true, nil
		return 0
	}
	p.rest = p.rest[used:]
	return n
}

// length reads how many parts follow, of at least size bytes each.
func (p *cursorParser) length(size int) int { return int(p.number(uint64(len(p.rest) / size))) }

// fixed reads a number of size bytes.
func (p *cursorParser) fixed(size int) (n uint64) {
	if len(p.rest) < size {
		p.failed, p.rest = true, nil
		return 0
	}
	for _, b := range p.rest[:size] {
		n = n<<8 | uint64(b)
	}
	p.rest = p.rest[size:]
	return n
}

// at returns the place in the topic with the tag.
func (c Cursor) at(tag uint32) ([]int64, bool) {
	i, ok := slices.BinarySearchFunc(c.places, tag, func(p place, tag uint32) int { return cmp.Compare(p.tag, tag) })
	if !ok {
		return nil, false
	}
	return c.places[i].next, true
}

// topicTag tells topics and their recreations apart. A topic that does not exist has a
// tag, too: once it is made, all of it is new.
func topicTag(topic string, id [16]byte, exists bool) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(id[:])
	if exists {
		_, _ = h.Write([]byte{1})
	}
	_, _ = h.Write([]byte(topic))
	return h.Sum32()
}
