package cache

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// The table that a batch is copied into before any shared row is locked. Each
// connection has its own, and each commit empties it. Rows are stored uncompressed,
// because they are read only once.
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
	// stageCreated marks a connection that has its stage.
	stageCreated = "odastream_stage"
)

// createStageTable makes the connection's stage, once.
func createStageTable(ctx context.Context, conn *pgx.Conn) error {
	made := conn.PgConn().CustomData()
	if made[stageCreated] != nil {
		return nil
	}
	if _, err := conn.Exec(ctx, createStage); err != nil {
		return fmt.Errorf("create the stage: %w", err)
	}
	made[stageCreated] = true
	return nil
}

// newStageReader encodes entries for copyStage.
func newStageReader(entries []entry, ttl TTL) *copyReader {
	return newCopyReader(func(b []byte) ([]byte, bool) {
		for len(entries) > 0 {
			e := entries[0]
			entries = entries[1:]
			if !e.again {
				return appendRow(b, e, ttl[e.Change.Entity]), true
			}
		}
		return b, false
	})
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

// wallClock returns the source's stamp as a Postgres timestamp: microseconds
// since 2000-01-01, in the stamp's own clock. It is not ok for a stamp that is empty,
// malformed or not a date of the calendar.
func wallClock(stamp string) (micros int64, ok bool) {
	t, err := time.Parse("2006-01-02T15:04:05", stamp) // takes fractions as well
	if err != nil || t.Year() < 1 {
		return 0, false
	}
	const epoch2000 = 946684800
	return t.UnixMicro() - epoch2000*1_000_000, true
}
