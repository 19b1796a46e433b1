package cache

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
)

// Add takes records of the topic in; those of other entities are left out. A
// record without a seq is one that could not be read, of which only the key is
// known. Add may see a record more than once, and in any order.
//
// What Postgres refuses to store is looked for by halves, and counts as a record
// that cannot be read: the sink has dead-lettered it. It is in refused.
func (t *SideTable) Add(ctx context.Context, records []Record) (refused int, err error) {
	mine := make([]*Record, 0, len(records))
	for i := range records {
		if records[i].Change.Entity == t.Entity {
			mine = append(mine, &records[i])
		}
	}
	if refused, err = t.add(ctx, mine); err != nil {
		return refused, fmt.Errorf("copy %d records into the side table of %s: %w", len(mine), t.Entity, err)
	}
	return refused, nil
}

func (t *SideTable) add(ctx context.Context, records []*Record) (refused int, err error) {
	if len(records) == 0 {
		return 0, nil
	}
	err = t.copy(ctx, records)
	if _, faulty := IsRecordFault(err); !faulty {
		return 0, err
	}
	if half := len(records) / 2; half > 0 {
		left, err := t.add(ctx, records[:half])
		if err != nil {
			return left, err
		}
		right, err := t.add(ctx, records[half:])
		return left + right, err
	}
	unreadable := *records[0]
	unreadable.Change.Seq = 0
	return 1, t.copy(ctx, []*Record{&unreadable})
}

// copy is a transaction, or under the locks a part of theirs that can fail alone.
func (t *SideTable) copy(ctx context.Context, records []*Record) error {
	begin := t.conn.Begin
	if t.tx != nil {
		begin = t.tx.Begin
	}
	tx, err := begin(ctx)
	if err != nil {
		return err
	}
	reader := &sideReader{records: records, bare: t.KeysOnly, buf: copyHeader()}
	if _, err := tx.Conn().PgConn().CopyFrom(ctx, reader, copySide); err != nil {
		_ = tx.Rollback(ctx) // the first error is the one that tells
		return err
	}
	return tx.Commit(ctx)
}

const (
	copySide = `COPY pg_temp.odastream_side FROM STDIN (FORMAT binary)`

	sideColumns = 7
)

func copyHeader() []byte { return append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...) }

// sideReader encodes records as Postgres's binary COPY, as stageReader does.
type sideReader struct {
	records []*Record
	bare    bool // without their content
	buf     []byte
	unread  int
	ended   bool
}

// Read implements io.Reader.
func (r *sideReader) Read(p []byte) (int, error) {
	r.buf, r.unread = append(r.buf[:0], r.buf[r.unread:]...), 0
	for len(r.buf) < len(p) && !r.ended {
		if len(r.records) == 0 {
			r.buf = binary.BigEndian.AppendUint16(r.buf, 0xffff)
			r.ended = true
			break
		}
		r.buf = r.append(r.buf, r.records[0])
		r.records = r.records[1:]
	}
	if len(r.buf) == 0 {
		return 0, io.EOF
	}
	r.unread = copy(p, r.buf)
	return r.unread, nil
}

func (r *sideReader) append(b []byte, rec *Record) []byte {
	b = binary.BigEndian.AppendUint16(b, sideColumns)
	b = appendInt64(b, rec.Change.ID)
	b = appendInt64(b, rec.Change.Seq)
	b = binary.BigEndian.AppendUint32(b, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(rec.Partition))
	b = appendInt64(b, rec.Offset)
	b = appendBool(b, rec.removes())
	if r.bare || rec.Change.Seq == 0 {
		return appendNull(appendNull(b))
	}
	b = appendJSON(b, entry{Record: rec})
	if micros, ok := wallClock(rec.Change.Opdateringsdato); ok {
		return appendInt64(b, micros)
	}
	return appendNull(b)
}
