package gateway_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/test/machine"
)

// exportedRows is about as many Stemme as the parliament has had.
const exportedRows = 1_800_000

// BenchmarkExport measures files of 1.8 million rows by HTTP beside a COPY TO of the same
// rows, to nowhere. The two alternate; the noise is that of odd copies against even ones.
// peak-MiB is how far the heap of gateway and client grew in one more file.
func BenchmarkExport(b *testing.B) {
	r := newRig(b, nil)
	r.exec(`TRUNCATE parliamentary_data`)
	r.exec(`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Stemme', n, jsonb_build_object('id', n, 'typeid', 1 + n % 4,
    'afstemningid', n / 179, 'aktørid', 13 + n % 900, 'opdateringsdato', '2020-01-01T10:00:00'), 1 FROM generate_series(1, $1::int) n`, exportedRows)
	r.exec(`ANALYZE parliamentary_data`)
	conn, err := pgx.ConnectConfig(b.Context(), r.pool.Config().ConnConfig.Copy())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(b.Context()) })
	for _, ending := range []string{"ndjson", "csv", "parquet"} {
		file := func(b *testing.B) time.Duration {
			start := time.Now()
			r.exported(b, "/v1/export/Stemme."+ending)
			return time.Since(start)
		}
		b.Run(ending, func(b *testing.B) { benchFile(b, conn, file) })
	}
}

func benchFile(b *testing.B, conn *pgx.Conn, file func(*testing.B) time.Duration) {
	grown := machine.PeakHeap(func() { file(b) })
	var took [3]time.Duration // the files, the even copies, the odd ones
	var times [3]int
	for n := 0; b.Loop(); n++ {
		took[0], times[0] = took[0]+file(b), times[0]+1
		start := time.Now()
		tag, err := conn.PgConn().CopyTo(b.Context(), io.Discard, `COPY (SELECT data FROM parliamentary_data WHERE entity_type = 'Stemme' ORDER BY entity_id) TO STDOUT`)
		if err != nil || tag.RowsAffected() != exportedRows {
			b.Fatalf("copied %d rows, %v", tag.RowsAffected(), err)
		}
		took[1+n%2], times[1+n%2] = took[1+n%2]+time.Since(start), times[1+n%2]+1
	}
	each := func(who int) float64 { return took[who].Seconds() / float64(times[who]) }
	copies := (took[1] + took[2]).Seconds() / float64(times[1]+times[2])
	b.ReportMetric(exportedRows/each(0), "rows/s")
	b.ReportMetric(exportedRows/copies, "copied-rows/s")
	b.ReportMetric(copies/each(0), "of-COPY")
	b.ReportMetric(float64(grown>>20), "peak-MiB")
	if times[2] > 0 {
		b.ReportMetric(each(1)/each(2), "noise")
	}
}

// exported reads a file to its end.
func (r *rig) exported(b *testing.B, path string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, r.url+path, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := uncompressed.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n < exportedRows || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s, %d bytes, %v", path, resp.Status, n, err)
	}
}
