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
)

// encoder turns changes into records.
type encoder struct {
	cfg    Config
	source string // base URL of the source, no slash at the end
}

func newEncoder(cfg Config) encoder {
	return encoder{cfg: cfg, source: publicSource(cfg.Source)}
}

// publicSource is the address of a source as it stands in records, which anybody
// may read: without a user, a password, and a slash at its end.
func publicSource(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return DefaultSource
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return strings.TrimRight(u.String(), "/")
}

// record is a record with space for its headers, so that those of a page are one
// allocation.
type record struct {
	kgo.Record
	headers [7]kgo.RecordHeader
}

// records returns the record of each change, and after the record of a delete its
// tombstone, with the same headers and so the same ce_id. A record's key, value and
// headers share memory and must not be modified.
func (e encoder) records(changes ...schema.Change) []*kgo.Record {
	out := make([]*kgo.Record, 0, len(changes))
	page := make([]record, len(changes))
	var of names
	for i, c := range changes {
		if i == 0 || c.Entity != changes[i-1].Entity {
			of = e.names(c.Entity)
		}
		rec := page[i].fill(c, of)
		out = append(out, rec)
		if c.Action == schema.Delete {
			out = append(out, &kgo.Record{Topic: rec.Topic, Key: rec.Key, Headers: rec.Headers})
		}
	}
	return out
}

// names are the names that the records of one entity share.
type names struct {
	topic, source string
}

// names returns the names of an entity. ce_source is a URI, so æøå are percent-encoded
// there, and only there.
func (e encoder) names(entity string) names {
	return names{topic: e.cfg.Topic(entity), source: e.source + "/" + url.PathEscape(entity)}
}

// textRoom is more than a record of the source's entities holds besides its row.
const textRoom = 512

// fill makes r the record of c. All its texts share one buffer. The headers are in the
// contract's order.
func (r *record) fill(c schema.Change, of names) *kgo.Record {
	buf := make([]byte, 0, len(c.Data)+textRoom)
	cut := func(grown []byte) (text []byte) {
		text, buf = grown[len(buf):len(grown):len(grown)], grown
		return text
	}
	r.Topic, r.Headers = of.topic, r.headers[:0]
	add := func(key string, grown []byte) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: cut(grown)})
	}
	r.Key = cut(schema.AppendKey(buf, c.Entity, c.ID))
	r.Value = cut(c.AppendJSON(buf))
	add(headerSpecVersion, append(buf, "1.0"...))
	add(headerID, c.AppendEventID(buf))
	add(headerSource, append(buf, of.source...))
	add(headerType, append(append(buf, typePrefix...), c.Action...))
	add(headerSubject, append(strconv.AppendInt(append(append(buf, c.Entity...), '('), c.ID, 10), ')'))
	add(headerTime, schema.AppendTimestamp(buf, c.Timestamp))
	add(headerContentType, append(buf, "application/json"...))
	return &r.Record
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

// recordSize is an upper bound of rec's size as a batch of its own, uncompressed.
func recordSize(rec *kgo.Record) int {
	n := recordOverhead + len(rec.Key) + len(rec.Value)
	for _, h := range rec.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}
