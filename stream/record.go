package stream

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// Names of the record headers: CloudEvents 1.0, Kafka binding, binary mode.
const (
	headerSpecVersion = "ce_specversion"
	headerID          = "ce_id"
	headerSource      = "ce_source"
	headerType        = "ce_type"
	headerSubject     = "ce_subject"
	headerTime        = "ce_time"
	headerContentType = "content-type"

	typePrefix = "dk.ft.oda."
	timeLayout = "2006-01-02T15:04:05.000000Z" // RFC 3339, UTC, microseconds
)

// encoder turns changes into records.
type encoder struct {
	cfg    Config
	source string // base URL of the source, no slash at the end
}

func newEncoder(cfg Config) encoder {
	source := strings.TrimRight(cfg.Source, "/")
	if source == "" {
		source = DefaultSource
	}
	return encoder{cfg: cfg, source: source}
}

// records gives the record of c, and after the record of a delete its
// tombstone, with the same headers and so the same ce_id.
func (e encoder) records(c schema.Change) []*kgo.Record {
	rec := &kgo.Record{
		Topic:   e.cfg.Topic(c.Entity),
		Key:     []byte(schema.Key(c.Entity, c.ID)),
		Value:   c.AppendJSON(nil),
		Headers: e.headers(c),
	}
	if c.Action != schema.Delete {
		return []*kgo.Record{rec}
	}
	return []*kgo.Record{rec, {Topic: rec.Topic, Key: rec.Key, Headers: rec.Headers}}
}

// headers are in the contract's order. ce_source is a URI, so the letters æøå
// of an entity are percent-encoded there; elsewhere they stand as they are.
func (e encoder) headers(c schema.Change) []kgo.RecordHeader {
	h := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	return []kgo.RecordHeader{
		h(headerSpecVersion, "1.0"),
		h(headerID, c.EventID()),
		h(headerSource, e.source+"/"+url.PathEscape(c.Entity)),
		h(headerType, typePrefix+string(c.Action)),
		h(headerSubject, c.Entity+"("+strconv.FormatInt(c.ID, 10)+")"),
		h(headerTime, c.Timestamp.UTC().Format(timeLayout)),
		h(headerContentType, "application/json"),
	}
}

func header(rec *kgo.Record, key string) (string, bool) {
	for _, h := range rec.Headers {
		if h.Key == key {
			return string(h.Value), true
		}
	}
	return "", false
}

// recordOverhead is more than a record batch of one record adds to the bytes of
// its key, value and headers: 61 of the batch, and lengths as varints.
const recordOverhead = 128

// recordSize is at least what rec takes up as a batch of its own, uncompressed.
func recordSize(rec *kgo.Record) int {
	n := recordOverhead + len(rec.Key) + len(rec.Value)
	for _, h := range rec.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}
