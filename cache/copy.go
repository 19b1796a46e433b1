package cache

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// The table that a batch is copied into before any shared row is locked. It is
// the connection's own and empties itself at each commit. Rows stay uncompressed
// in it, for they are read once.
const (
	createStage = `CREATE TEMPORARY TABLE IF NOT EXISTS odastream_stage (
    entity_type     text   NOT NULL,
    entity_id       bigint NOT NULL,
    seq             bigint NOT NULL,
    last            boolean NOT NULL,
    removes         boolean NOT NULL,
    data            jsonb,
    opdateringsdato timestamp,
    ttl             bigint,
    creates         boolean NOT NULL,
    since           bigint NOT NULL
) ON COMMIT DELETE ROWS;
ALTER TABLE odastream_stage ALTER data SET STORAGE EXTERNAL;
ALTER TABLE odastream_stage SET (toast_tuple_target = 8160)`

	copyStage = `COPY pg_temp.odastream_stage FROM STDIN (FORMAT binary)`

	stageColumns = 10
	// stageMade marks a connection that has its stage.
	stageMade = "odastream_stage"
)

// makeStage makes the connection's stage, once.
func makeStage(ctx context.Context, conn *pgx.Conn) error {
	made := conn.PgConn().CustomData()
	if made[stageMade] != nil {
		return nil
	}
	if _, err := conn.Exec(ctx, createStage); err != nil {
		return fmt.Errorf("make the stage: %w", err)
	}
	made[stageMade] = true
	return nil
}

// stageReader encodes entries as Postgres's binary COPY, piece by piece while
// the server already reads.
// https://www.postgresql.org/docs/15/sql-copy.html#id-1.9.3.55.9.4
type stageReader struct {
	entries []entry
	ttl     TTL
	buf     []byte // encoded, not yet read
	unread  int    // where the unread part of buf begins
	ended   bool
}

func newStageReader(entries []entry, ttl TTL) *stageReader {
	header := append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	return &stageReader{entries: entries, ttl: ttl, buf: header}
}

// Read implements io.Reader.
func (r *stageReader) Read(p []byte) (int, error) {
	r.fill(len(p))
	if r.unread == len(r.buf) {
		return 0, io.EOF
	}
	n := copy(p, r.buf[r.unread:])
	r.unread += n
	return n, nil
}

func (r *stageReader) fill(want int) {
	r.buf = append(r.buf[:0], r.buf[r.unread:]...)
	r.unread = 0
	for len(r.buf) < want && !r.ended {
		if len(r.entries) == 0 {
			r.buf = binary.BigEndian.AppendUint16(r.buf, 0xffff)
			r.ended = true
			return
		}
		if e := r.entries[0]; !e.again {
			r.buf = appendRow(r.buf, e, r.ttl[e.Change.Entity])
		}
		r.entries = r.entries[1:]
	}
}

func appendRow(b []byte, e entry, ttl time.Duration) []byte {
	b = binary.BigEndian.AppendUint16(b, stageColumns)
	b = appendBytes(b, e.Change.Entity)
	b = appendInt64(b, e.Change.ID)
	b = appendInt64(b, e.Change.Seq)
	b = appendBool(b, e.last)
	b = appendBool(b, e.removes())
	b = appendJSON(b, e)
	if micros, ok := wallClock(e.Change.Opdateringsdato); ok {
		b = appendInt64(b, micros)
	} else {
		b = appendNull(b)
	}
	if ttl > 0 {
		b = appendInt64(b, int64(ttl/time.Second))
	} else {
		b = appendNull(b)
	}
	b = appendBool(b, e.Change.Action == schema.Create)
	return appendInt64(b, e.since)
}

func appendJSON(b []byte, e entry) []byte {
	if e.removes() {
		return appendNull(b)
	}
	const version = 1
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Change.Data)+1))
	b = append(b, version)
	return append(b, e.Change.Data...)
}

func appendBytes(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

func appendInt64(b []byte, n int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

func appendBool(b []byte, is bool) []byte {
	b = binary.BigEndian.AppendUint32(b, 1)
	if is {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendNull(b []byte) []byte { return binary.BigEndian.AppendUint32(b, 0xffffffff) }

// wallClock returns the source's stamp as a Postgres timestamp: microseconds
// since 2000-01-01, in the stamp's own clock. A stamp that is empty, no stamp or
// no date of the calendar has none.
func wallClock(stamp string) (micros int64, ok bool) {
	t, err := time.Parse("2006-01-02T15:04:05", stamp) // takes fractions as well
	if err != nil || t.Year() < 1 {
		return 0, false
	}
	const epoch2000 = 946684800
	return t.UnixMicro() - epoch2000*1_000_000, true
}
