package stream

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// Class says why a record was dead-lettered.
type Class string

// The classes of the contract, as the header dlq.class has them.
const (
	ClassDecode   Class = "decode"    // not a change: not JSON, not UTF-8, no id
	ClassSchema   Class = "schema"    // JSON, but not what a change must be
	ClassData     Class = "data"      // Postgres refuses the row itself
	ClassTooLarge Class = "too_large" // above the broker's limit of a record, or a batch above that of readers
)

// Names of the headers that a dead letter has after those of its original.
const (
	HeaderDeadTopic     = "dlq.topic"
	HeaderDeadPartition = "dlq.partition" // absent if the original was never on its topic
	HeaderDeadOffset    = "dlq.offset"    // absent likewise
	HeaderDeadTimestamp = "dlq.timestamp" // of the original record, RFC 3339, milliseconds
	HeaderDeadGroup     = "dlq.group"
	HeaderDeadClass     = "dlq.class"
	HeaderDeadError     = "dlq.error"
	HeaderDeadSQLState  = "dlq.sqlstate" // absent unless Postgres refused the record
	HeaderDeadAttempts  = "dlq.attempts"
	HeaderDeadFailedAt  = "dlq.failed_at" // RFC 3339, microseconds
	HeaderDeadSize      = "dlq.size"      // bytes of the original value, if only its beginning was kept
)

const (
	keptBytes     = 64 << 10 // what is kept of a value, a key or headers that are too large
	maxErrorBytes = 4 << 10  // of dlq.error: the headers must stay under deadLetterRoom
	ownHeaders    = 11       // at most: those above
	// maxHeaderBytes is above the size of each of our own headers.
	maxHeaderBytes = maxErrorBytes + 64
	millisLayout   = "2006-01-02T15:04:05.000Z"
)

// DeadLetter is a record that cannot be published or applied, and why. Its topic is
// the original's name with ".dlq" at the end. Dead letters are written at least once:
// topic, partition and offset identify one.
type DeadLetter struct {
	Record    *kgo.Record // the original: topic, key, value, headers, and with HasOffset partition and offset
	HasOffset bool        // false: the original was never on its topic
	Group     string      // consumer group that failed on it, or "poller"
	Class     Class
	Err       string    // what went wrong; cut at 4 KiB
	SQLState  string    // five characters, empty unless Postgres refused the record
	Attempts  int       // how often it was tried
	FailedAt  time.Time // of the last try; zero: now
}

// record builds the dead letter's own record. It cuts the value to its first 64 KiB if
// the class is too_large or the record would be above limit bytes, and then also a key
// and headers that are longer.
func (d DeadLetter) record(limit int) *kgo.Record {
	if d.FailedAt.IsZero() {
		d.FailedAt = time.Now()
	}
	rec := &kgo.Record{
		Topic:   deadLetterName(d.Record.Topic),
		Key:     d.Record.Key,
		Value:   d.Record.Value,
		Headers: append(slices.Clip(d.Record.Headers), d.headers()...),
	}
	if d.Class == ClassTooLarge {
		rec = shorten(rec)
	}
	return fitted(rec, limit)
}

// fitted shortens a dead letter that does not fit limit bytes.
func fitted(rec *kgo.Record, limit int) *kgo.Record {
	if recordSize(rec) <= limit {
		return rec
	}
	if rec = trimmed(rec); len(rec.Value) <= keptBytes || recordSize(rec) <= limit {
		return rec
	}
	return shorten(rec)
}

// trimmed keeps the first 64 KiB of the key, and only our own headers, which are the last
// ones, if all together are longer than that. A compressed record may hold more than the
// broker's limit anywhere.
func trimmed(rec *kgo.Record) *kgo.Record {
	trim, size := *rec, 0
	trim.Key = rec.Key[:min(len(rec.Key), keptBytes):min(len(rec.Key), keptBytes)]
	for _, h := range rec.Headers {
		size += len(h.Key) + len(h.Value)
	}
	if size > keptBytes {
		last := slices.Clone(rec.Headers[max(0, len(rec.Headers)-ownHeaders):])
		trim.Headers = slices.DeleteFunc(last, func(h kgo.RecordHeader) bool { return len(h.Key)+len(h.Value) > maxHeaderBytes })
	}
	return &trim
}

// shorten keeps the first 64 KiB of the value and notes its whole size.
func shorten(rec *kgo.Record) *kgo.Record {
	short := *rec
	short.Value = rec.Value[:min(len(rec.Value), keptBytes):min(len(rec.Value), keptBytes)]
	short.Headers = append(slices.Clip(rec.Headers),
		kgo.RecordHeader{Key: HeaderDeadSize, Value: []byte(strconv.Itoa(len(rec.Value)))})
	return &short
}

func (d DeadLetter) headers() []kgo.RecordHeader {
	var hs []kgo.RecordHeader
	add := func(key, value string) { hs = append(hs, kgo.RecordHeader{Key: key, Value: []byte(value)}) }
	add(HeaderDeadTopic, d.Record.Topic)
	if d.HasOffset {
		add(HeaderDeadPartition, strconv.Itoa(int(d.Record.Partition)))
		add(HeaderDeadOffset, strconv.FormatInt(d.Record.Offset, 10))
	}
	add(HeaderDeadTimestamp, d.timestamp().UTC().Format(millisLayout))
	add(HeaderDeadGroup, d.Group)
	add(HeaderDeadClass, string(d.Class))
	add(HeaderDeadError, cut(d.Err, maxErrorBytes))
	if d.SQLState != "" {
		add(HeaderDeadSQLState, d.SQLState)
	}
	add(HeaderDeadAttempts, strconv.Itoa(d.Attempts))
	add(HeaderDeadFailedAt, string(schema.AppendTimestamp(nil, d.FailedAt)))
	return hs
}

// timestamp is the original record's, or FailedAt if it was never on its topic.
func (d DeadLetter) timestamp() time.Time {
	if d.Record.Timestamp.IsZero() {
		return d.FailedAt
	}
	return d.Record.Timestamp
}

// cut shortens s to at most n bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
