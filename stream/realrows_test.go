package stream

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// rowsOfAFile is how many rows of each captured file are taken.
const rowsOfAFile = 2000

// TestRealRowsGoThroughUnchanged turns captured rows into records and back: the
// bytes of each row are the same, and each value keeps to the schema.
func TestRealRowsGoThroughUnchanged(t *testing.T) {
	t.Parallel()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	files, err := filepath.Glob(filepath.Join(root, "snapshots", "2019-03", "*.ndjson.gz"))
	if err != nil || len(files) == 0 {
		t.Skipf("REAL ROWS MISSING: no snapshots/2019-03 in %s; set ODASTREAM_REAL_ROWS to the folder that holds snapshots/", root)
	}
	s, enc, n := changeSchema(t), newEncoder(Config{}), 0
	for _, path := range files {
		for _, row := range rows(t, path) {
			n++
			c := update("Sag", int64(n), int64(n))
			c.Data = row
			rec := enc.records(c)[0]
			got, err := Decode(rec)
			if err != nil || string(got.Change.Data) != string(row) {
				t.Fatalf("%s row %d: Decode = %v, data %s, want %s", filepath.Base(path), n, err, got.Change.Data, row)
			}
			if err := valid(t, s, rec.Value); err != nil {
				t.Fatalf("%s row %d: %v", filepath.Base(path), n, err)
			}
		}
	}
	t.Logf("%d rows of %d files", n, len(files))
}

func rows(t *testing.T, path string) [][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	var out [][]byte
	for lines.Scan() && len(out) < rowsOfAFile {
		if json.Valid(lines.Bytes()) {
			out = append(out, append([]byte(nil), lines.Bytes()...))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// BenchmarkPublish publishes pages of 100 rows of 1 KB to a fake broker; one
// iteration is a page.
func BenchmarkPublish(b *testing.B) {
	bench := benchFor(b)
	page := make([]schema.Change, 100)
	for i := range page {
		page[i] = big("Sag", int64(i), 1000)
	}
	p, err := NewPublisher(bench.cfg, bench.log.logger(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Publish(b.Context(), page); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkReadLog reads 100,000 rows of 1 KB from a fake broker.
func BenchmarkReadLog(b *testing.B) {
	bench := benchFor(b)
	p, err := NewPublisher(bench.cfg, bench.log.logger(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	const n = 100_000
	for from := int64(0); from < n; from += 5000 {
		page := make([]schema.Change, 5000)
		for i := range page {
			page[i] = big("Sag", from+int64(i), 1000)
		}
		if _, err := p.Publish(b.Context(), page); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		seen := 0
		_, err := bench.topics.ReadLog(b.Context(), "Sag", nil, func(rs []*kgo.Record) error { seen += len(rs); return nil })
		if err != nil || seen != n {
			b.Fatalf("ReadLog = %v after %d records, want %d", err, seen, n)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
