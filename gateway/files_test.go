package gateway_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"odastream/gateway"
	"odastream/internal/test/machine"
)

func TestFilesHaveAllRows(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	rows, _ := r.all("/api/Sag?$filter=typeid%20ne%203")
	var ids []string
	for _, row := range rows {
		ids = append(ids, idOf(t, row))
	}
	filter := "?$filter=typeid%20ne%203"
	got := r.get("/v1/export/Sag.ndjson" + filter)
	var lines []string
	for line := range strings.Lines(got.body) {
		lines = append(lines, idOf(t, line))
	}
	if diff := cmp.Diff(ids, lines); diff != "" || len(ids) < 10 {
		t.Errorf("ndjson, of %d rows (-mirror +file):\n%s", len(ids), diff)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/x-ndjson; charset=utf-8" || got.header.Get("Content-Disposition") != `attachment; filename="sag.ndjson"` {
		t.Errorf("header = %v", got.header)
	}
	table, err := csv.NewReader(strings.NewReader(r.get("/v1/export/Sag.csv" + filter).body)).ReadAll()
	if err == nil && len(table) == 0 {
		t.Fatal("csv is empty")
	}
	if err != nil || len(table) != len(ids)+1 || table[0][0] != "id" || table[len(ids)][0] != ids[len(ids)-1] {
		t.Errorf("csv has %d lines, %v, want %d", len(table), err, len(ids)+1)
	}
	body := r.get("/v1/export/Sag.parquet"+filter, "Accept-Encoding: gzip").body
	file, err := parquet.OpenFile(strings.NewReader(body), int64(len(body)))
	if err != nil || file.NumRows() != int64(len(ids)) {
		t.Errorf("parquet: %v", err)
	}
}

// idOf returns the id of a row of JSON.
func idOf(t *testing.T, row string) string {
	t.Helper()
	_, rest, ok := strings.Cut(strings.ReplaceAll(row, " ", ""), `"id":`)
	if !ok {
		t.Fatalf("row without an id: %s", row)
	}
	return rest[:strings.IndexAny(rest, ",}")]
}

func TestFilesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"Sag.xml":                    {http.StatusNotFound, "Sag.parquet"},
		"Sag":                        {http.StatusNotFound, "Sag.parquet"},
		"Sager.csv":                  {http.StatusNotFound, "Sager"},
		"Sag(1).csv":                 {http.StatusNotFound, "rows of an entity"},
		"Sag.csv?$top=3":             {http.StatusBadRequest, "only $filter and asof"},
		"Sag.csv?$expand=Sagstrin":   {http.StatusBadRequest, "only $filter and asof"},
		"Sag.csv?$filter=titel%20eq": {http.StatusBadRequest, "$filter at character"},
		"Sag.csv?asof=yesterday":     {http.StatusBadRequest, "asof"},
	} {
		got := r.get("/v1/export/" + path)
		if got.status != want.status || !strings.Contains(got.body, want.says) || !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s = %d %s, want %d and %q", path, got.status, got.body, want.status, want.says)
		}
	}
}

func TestAnUnchangedFileCostsNoQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	tag := r.get("/v1/export/Afstemning.csv").header.Get("ETag")
	before := r.queries.Load()
	if got := r.get("/v1/export/Afstemning.csv", "If-None-Match: "+tag); got.status != http.StatusNotModified || tag == "" {
		t.Errorf("with the tag %q = %d, want 304", tag, got.status)
	}
	if got := r.do(http.MethodHead, "/v1/export/Afstemning.csv"); got.status != http.StatusOK || got.header.Get("ETag") != tag {
		t.Errorf("HEAD = %d %v, want the tag", got.status, got.header)
	}
	if n := r.queries.Load() - before; n != 0 {
		t.Errorf("%d queries, want none", n)
	}
	r.applied("Afstemning")
	r.refreshed()
	if got := r.get("/v1/export/Afstemning.csv", "If-None-Match: "+tag); got.status != http.StatusOK || got.header.Get("ETag") == tag {
		t.Errorf("after a change = %d, want another tag", got.status)
	}
}

// manyRows are 40 MB, more than all buffers between gateway and client.
const manyRows = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Stemme', 10000000 + n, jsonb_build_object('id', n, 'tekst', repeat(md5(n::text), 62)), 1 FROM generate_series(1, 20000) n`

// large returns a gateway with 40 MB of rows, and the beginning of the answer with them.
func large(t *testing.T, within time.Duration) (*rig, io.ReadCloser) {
	t.Helper()
	r := newRig(t, nil)
	r.gateway.SendWithin(within)
	r.exec(manyRows)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/export/Stemme.ndjson", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := uncompressed.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	return r, resp.Body
}

// snapshots reports whether Postgres keeps old versions of rows for the gateway.
func (r *rig) snapshots() bool {
	r.t.Helper()
	var n int
	err := r.asOwner().QueryRow(r.t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND query LIKE 'SELECT t0.data%'`).Scan(&n)
	if err != nil {
		r.t.Fatal(err)
	}
	return n > 0
}

func TestAFileThatCannotBeEndedIsCutOff(t *testing.T) {
	t.Parallel()
	r, body := large(t, time.Minute)
	if !r.snapshots() {
		t.Fatal("no snapshot during an export: the test proves nothing")
	}
	r.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT t0.data%' AND pid <> pg_backend_pid()`)
	got, err := io.ReadAll(body)
	if err == nil {
		t.Errorf("the client got %d lines and no error", bytes.Count(got, []byte("\n")))
	}
	machine.Until(t, "the request to be counted", func() bool {
		return r.metric("odastream_gateway_requests_total", map[string]string{"status_code": "499", "class": "complex"}) == 1
	})
}

func TestAReaderThatStopsIsCutOff(t *testing.T) {
	t.Parallel()
	r, body := large(t, 200*time.Millisecond)
	machine.Until(t, "the snapshot is gone", func() bool { return !r.snapshots() })
	if _, err := io.ReadAll(body); err == nil {
		t.Error("the client got the whole answer, or does not know that it did not")
	}
}

// Not parallel: it measures the memory of the process.
func TestAFileIsSentInFlatMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // garbage is no row that is held
	r := newRig(t, func(cfg *gateway.Config) { cfg.Connections = 4 })
	r.exec(strings.Replace(manyRows, "20000", "60000", 1))
	for _, ending := range []string{"ndjson", "csv", "parquet"} {
		grown := machine.PeakHeap(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/export/Stemme."+ending, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := uncompressed.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			if err != nil || n < 100<<10 {
				t.Errorf("%s: %d bytes, %v", ending, n, err)
			}
			_ = resp.Body.Close()
		})
		t.Logf("%s: memory grew by %d KiB", ending, grown>>10)
		if limit := uint64(70 << 20); grown > limit {
			t.Errorf("%s of 120 MB: memory grew by %d MiB", ending, grown>>20)
		}
	}
}
