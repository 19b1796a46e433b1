package cache

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Add adds records of the topic; it skips those of other entities. A record without a
// seq is one that could not be read, and has only a key. Records may be added more
// than once, and in any order.
//
// A record that Postgres refuses to store counts as one that cannot be read: the sink
// has dead-lettered it. refused is the number of these.
func (t *ShadowTable) Add(ctx context.Context, records []Record) (refused int, err error) {
	mine := make([]*Record, 0, len(records))
	for i := range records {
		if records[i].Change.Entity == t.Entity {
			mine = append(mine, &records[i])
		}
	}
	err = Bisect(mine, func(part []*Record) error { return t.copy(ctx, part) }, func(record *Record, _ error) error {
		refused++
		unreadable := *record
		unreadable.Change.Seq = 0
		return t.copy(ctx, []*Record{&unreadable})
	})
	if err != nil {
		return refused, fmt.Errorf("copy %d records into the shadow table of %s: %w", len(mine), t.Entity, err)
	}
	return refused, nil
}

// copy copies records, all of them or none.
func (t *ShadowTable) copy(ctx context.Context, records []*Record) error {
	_, err := t.conn.PgConn().CopyFrom(ctx, newShadowReader(records, t.KeysOnly), copyShadow)
	return err
}

const (
	copyShadow = `COPY pg_temp.odastream_shadow FROM STDIN (FORMAT binary)`

	shadowColumns = 7
)

// newShadowReader encodes records for copyShadow; with bare it leaves out their content.
func newShadowReader(records []*Record, bare bool) *copyReader {
	return newCopyReader(func(b []byte) ([]byte, bool) {
		if len(records) == 0 {
			return b, false
		}
		rec := records[0]
		records = records[1:]
		return appendRecord(b, rec, bare), true
	})
}

func appendRecord(b []byte, rec *Record, bare bool) []byte {
	b = binary.BigEndian.AppendUint16(b, shadowColumns)
	b = appendInt64(b, rec.Change.ID)
	b = appendInt64(b, rec.Change.Seq)
	b = binary.BigEndian.AppendUint32(b, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(rec.Partition))
	b = appendInt64(b, rec.Offset)
	b = appendBool(b, rec.removes())
	if bare || rec.Change.Seq == 0 {
		return appendNull(appendNull(b))
	}
	b = appendJSON(b, entry{Record: rec})
	if micros, ok := wallClock(rec.Change.Opdateringsdato); ok {
		return appendInt64(b, micros)
	}
	return appendNull(b)
}
