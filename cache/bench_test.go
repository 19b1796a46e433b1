package cache

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

const benchRows = 5000 // a batch, SINK_BATCH_ROWS' default

// BenchmarkApply measures a first load, newer content with its history, and stale records, each
// batch beside a plain COPY of as many rows straight into the table, which is the
// limit. The two alternate, so that a busy machine slows both.
func BenchmarkApply(b *testing.B) {
	url := pgtest.Migrated(b)
	for _, gin := range []string{"off", "on"} {
		store := New(open(b, url), "bench", Config{GIN: gin}, quiet())
		if err := store.MaintainIndex(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Run("first/gin="+gin, func(b *testing.B) { benchApply(b, store, schema.Snapshot, 1, 1) })
		b.Run("update/gin="+gin, func(b *testing.B) { benchApply(b, store, schema.Update, 0, 1) })
		b.Run("stale/gin="+gin, func(b *testing.B) { benchApply(b, store, schema.Update, 0, 0) })
	}
}

// benchApply applies batch after batch; idStep and seqStep say what grows.
func benchApply(b *testing.B, store *Store, action schema.Action, idStep, seqStep int64) {
	if _, err := store.pool.Exec(b.Context(), "TRUNCATE parliamentary_data, parliamentary_history"); err != nil {
		b.Fatal(err)
	}
	if _, err := store.Apply(b.Context(), Batch{Records: benchBatch(schema.Snapshot, 0, 1)}); err != nil {
		b.Fatal(err)
	}
	const beyond = 1_000_000_000 // the copied rows' ids, met by no batch
	var n int64
	var copied [2]time.Duration // of odd and of even batches: the noise of one against the other
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		n++
		rows := textRows(benchBatch(schema.Snapshot, beyond+n*benchRows, 1))
		start := time.Now()
		copyText(b, store.pool, rows)
		copied[n%2] += time.Since(start)
		batch := Batch{Records: benchBatch(action, n*idStep*benchRows, 1+n*seqStep)}
		b.StartTimer()
		if _, err := store.Apply(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	rows := float64(benchRows) * float64(b.N)
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	all := copied[0] + copied[1]
	b.ReportMetric(rows/all.Seconds(), "COPY-rows/s")
	b.ReportMetric(all.Seconds()/b.Elapsed().Seconds(), "of-COPY")
	b.ReportMetric(copied[1].Seconds()/copied[0].Seconds(), "COPY/COPY") // 1 where b.N is even and the machine calm
}

func textRows(records []Record) io.Reader {
	var text strings.Builder
	for _, r := range records {
		fmt.Fprintf(&text, "%s\t%d\t%s\t1\t%s\n", r.Change.Entity, r.Change.ID, r.Change.Data, r.Change.Opdateringsdato)
	}
	return strings.NewReader(text.String())
}

func copyText(b *testing.B, pool *pgxpool.Pool, rows io.Reader) {
	err := pool.AcquireFunc(context.Background(), func(conn *pgxpool.Conn) error {
		_, err := conn.Conn().PgConn().CopyFrom(b.Context(), rows,
			"COPY parliamentary_data (entity_type, entity_id, data, seq, opdateringsdato) FROM STDIN")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// benchBatch returns rows of about 1 kB, neighbours in id shuffled as partitions
// of a topic shuffle them.
func benchBatch(action schema.Action, first, seq int64) []Record {
	records := make([]Record, benchRows)
	for i := range records {
		id := first + int64(i*7919%benchRows)
		data := fmt.Sprintf(`{"id":%d,"titel":"Forslag til lov om %d","resume":%q,"version":%d,"opdateringsdato":"2026-11-23T16:09:58.347"}`,
			id, id, strings.Repeat("Lovforslaget gennemfører. ", 34), seq)
		records[i] = Record{
			TopicPartition: schema.TopicPartition{Topic: "parliament-sag"}, Offset: id,
			Change: schema.Change{
				Entity: "Sag", ID: id, Action: action, Seq: seq, Timestamp: time.Unix(0, 0),
				Opdateringsdato: "2026-11-23T16:09:58.347", Data: []byte(data),
			},
		}
	}
	return records
}
