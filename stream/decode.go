package stream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// DecodeError says that a record is not a change. It is permanent.
type DecodeError struct {
	Class Class // ClassDecode, ClassSchema, or ClassTooLarge with a *LargeBatchError
	Err   error // why
}

// maxReasonBytes limits the text of a DecodeError: a record's key may be megabytes.
const maxReasonBytes = 1 << 10

// Error says why, with the class, in a kilobyte at most.
func (e *DecodeError) Error() string {
	return cut(fmt.Sprintf("decode record (%s): %v", e.Class, e.Err), maxReasonBytes)
}

// Unwrap gives the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

// Message is a decoded record.
type Message struct {
	Change schema.Change
	// Tombstone: the record has no value. Change then has Entity, ID, Action
	// Delete, and Seq from the record's ce_id.
	Tombstone bool
}

// Decode decodes a record of any topic of the project. It ignores unknown members. It refuses
// a key that is not that of the change. Use Config.Decode where the topics are known: it
// also checks on which of them the record lies. Every error is a *DecodeError. The message
// shares no memory with the record.
func Decode(rec *kgo.Record) (Message, error) {
	if large := largeBatchOf(rec); large != nil {
		return Message{}, &DecodeError{ClassTooLarge, large}
	}
	entity, id, err := schema.ParseKey(string(rec.Key))
	if err != nil {
		return Message{}, &DecodeError{ClassDecode, err}
	}
	if rec.Value == nil {
		return decodeTombstone(rec, entity, id)
	}
	change, err := schema.ParseChange(rec.Value)
	if err != nil {
		return Message{}, &DecodeError{classOf(err), err}
	}
	if change.Entity != entity || change.ID != id {
		return Message{}, &DecodeError{
			ClassSchema,
			fmt.Errorf("key %q is not that of the change of %s", rec.Key, schema.Key(change.Entity, change.ID)),
		}
	}
	return Message{Change: change}, nil
}

// Decode is the function Decode for a record of one of c's topics. It also refuses a
// record whose entity's topic is not the one that it lies on, and one whose seq is too
// far ahead (SeqAhead), with ClassSchema.
func (c Config) Decode(rec *kgo.Record) (Message, error) {
	m, err := Decode(rec)
	if err != nil {
		return Message{}, err
	}
	// Who may write one topic must not write the rows of another entity.
	suffix, ours := strings.CutPrefix(rec.Topic, c.TopicPrefix)
	if !ours || !schema.HasSuffix(m.Change.Entity, suffix) {
		return Message{}, &DecodeError{ClassSchema, fmt.Errorf("topic %s is not that of entity %q", rec.Topic, m.Change.Entity)}
	}
	// Invariant 3: a seq far ahead would hide every later change of its row.
	if SeqAhead(rec, m.Change.Seq) {
		return Message{}, &DecodeError{ClassSchema, fmt.Errorf("seq %d is more than %s ahead of the clock", m.Change.Seq, schema.MaxAhead)}
	}
	return m, nil
}

// SeqAhead reports whether the seq of a record is more than schema.MaxAhead ahead of the
// time at which the record was written, or of now. A forged record is refused for ever
// by this: also days later by a new sink, a replay or a rebuild.
func SeqAhead(rec *kgo.Record, seq int64) bool {
	at := time.Now()
	if rec.Timestamp.UnixMilli() > 0 && rec.Timestamp.Before(at) { // 0 or -1: it has none
		at = rec.Timestamp
	}
	return schema.SeqAhead(seq, at)
}

func classOf(err error) Class {
	var parse *schema.ParseError
	if errors.As(err, &parse) && parse.Class == string(ClassSchema) {
		return ClassSchema
	}
	return ClassDecode
}

// decodeTombstone takes the seq from ce_id, which is the delete's:
// "Sag:98765:1795445400123456".
func decodeTombstone(rec *kgo.Record, entity string, id int64) (Message, error) {
	event, ok := header(rec, headerID)
	if !ok {
		return Message{}, &DecodeError{ClassSchema, errors.New("tombstone has no header ce_id")}
	}
	text, ok := strings.CutPrefix(event, schema.Key(entity, id)+":")
	if !ok {
		return Message{}, &DecodeError{ClassSchema, fmt.Errorf("ce_id %q of the tombstone is not of its key %q", event, rec.Key)}
	}
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq <= 0 {
		return Message{}, &DecodeError{ClassSchema, fmt.Errorf("ce_id %q of the tombstone has no seq", event)}
	}
	change := schema.Change{Entity: entity, ID: id, Action: schema.Delete, Seq: seq}
	return Message{Change: change, Tombstone: true}, nil
}
