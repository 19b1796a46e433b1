package rowfile_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"odastream/internal/rowfile"
	"odastream/schema"
)

// written returns a file of rows.
func written(t *testing.T, format rowfile.Format, name string, others []string, rows ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := rowfile.New(format, entity(t, name), others, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write([]byte(row)); err != nil {
			t.Fatalf("Write(%s): %v", row, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func entity(t *testing.T, name string) schema.Entity {
	t.Helper()
	e, err := schema.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// opened returns a Parquet file as the library reads it.
func opened(t *testing.T, file []byte) *parquet.File {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rowsOf returns the rows of a Parquet file, each with the columns that are not null.
func rowsOf(t *testing.T, f *parquet.File) (rows []map[string]any) {
	t.Helper()
	columns := f.Schema().Fields()
	for _, g := range f.RowGroups() {
		r := g.Rows()
		buffer := make([]parquet.Row, 100)
		for {
			n, err := r.ReadRows(buffer)
			for _, row := range buffer[:n] {
				rows = append(rows, cells(columns, row))
			}
			if n == 0 || err != nil {
				break
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// cells returns the values of a row as JSON has them.
func cells(columns []parquet.Field, row parquet.Row) map[string]any {
	values := map[string]any{}
	for i, v := range row {
		switch {
		case v.IsNull():
		case strings.HasPrefix(columns[i].Type().String(), "TIMESTAMP"):
			values[columns[i].Name()] = time.UnixMicro(v.Int64()).UTC().Format("2006-01-02T15:04:05.999999")
		case v.Kind() == parquet.Boolean:
			values[columns[i].Name()] = v.Boolean()
		case v.Kind() == parquet.Int32:
			values[columns[i].Name()] = float64(v.Int32())
		default:
			values[columns[i].Name()] = string(v.ByteArray())
		}
	}
	return values
}

func TestParquetHasTheSourcesColumnsInItsOrder(t *testing.T) {
	t.Parallel()
	f := opened(t, written(t, rowfile.Parquet, "Afstemning", nil))
	const want = `message afstemning {
	optional int32 id (INT(32,true));
	optional int32 nummer (INT(32,true));
	optional binary konklusion (STRING);
	optional boolean vedtaget;
	optional binary kommentar (STRING);
	optional int32 mødeid (INT(32,true));
	optional int32 typeid (INT(32,true));
	optional int32 sagstrinid (INT(32,true));
	optional int64 opdateringsdato (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS));
	optional binary other_members (JSON);
}`
	if diff := cmp.Diff(want, f.Schema().String()); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
	name, _ := f.Lookup(rowfile.EntityKey)
	stamps, _ := f.Lookup(rowfile.StampsKey)
	if name != "Afstemning" || !strings.Contains(stamps, "without a zone") {
		t.Errorf("metadata: entity %q, stamps %q", name, stamps)
	}
}

func TestParquetLosesNothingOfARow(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		row  string
		want map[string]any
	}{
		"every type": {
			`{"id": 2, "nummer": 7, "konklusion": "\"108\" for,\n(Å)", "vedtaget": true, "kommentar": "", "opdateringsdato": "2014-09-09T09:05:59.653"}`,
			map[string]any{"id": 2., "nummer": 7., "konklusion": "\"108\" for,\n(Å)", "vedtaget": true, "kommentar": "", "opdateringsdato": "2014-09-09T09:05:59.653"},
		},
		"null":           {`{"id": null, "nummer": null, "konklusion": null}`, map[string]any{}},
		"no members":     {`{}`, map[string]any{}},
		"unknown member": {`{"id": 1, "nyt \"felt\"": {"a": [1, null]}, "b": null}`, map[string]any{"id": 1., "other_members": `{"nyt \"felt\"":{"a": [1, null]},"b":null}`}},
		"no integer":     {`{"id": 1.5, "nummer": "7"}`, map[string]any{"other_members": `{"id":1.5,"nummer":"7"}`}},
		"large integer":  {`{"id": 2147483648, "nummer": -2147483648}`, map[string]any{"nummer": -2147483648., "other_members": `{"id":2147483648}`}},
		"no boolean":     {`{"vedtaget": 1}`, map[string]any{"other_members": `{"vedtaget":1}`}},
		"no text":        {`{"konklusion": false}`, map[string]any{"other_members": `{"konklusion":false}`}},
		"first day":      {`{"opdateringsdato": "0001-01-01T00:00:00"}`, map[string]any{"opdateringsdato": "0001-01-01T00:00:00"}},
		"a zone":         {`{"opdateringsdato": "2014-09-09T09:05:59Z"}`, map[string]any{"other_members": `{"opdateringsdato":"2014-09-09T09:05:59Z"}`}},
		"no such day":    {`{"opdateringsdato": "2014-02-29T09:05:59"}`, map[string]any{"other_members": `{"opdateringsdato":"2014-02-29T09:05:59"}`}},
		"a tick":         {`{"opdateringsdato": "2014-09-09T09:05:59.6533331"}`, map[string]any{"other_members": `{"opdateringsdato":"2014-09-09T09:05:59.6533331"}`}},
		"no time":        {`{"opdateringsdato": 17}`, map[string]any{"other_members": `{"opdateringsdato":17}`}},
	} {
		got := rowsOf(t, opened(t, written(t, rowfile.Parquet, "Afstemning", nil, tt.row)))
		if diff := cmp.Diff([]map[string]any{tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", claim, diff)
		}
	}
}

func TestRowGroupsAreBounded(t *testing.T) {
	t.Parallel()
	var rows []string
	for n := range 40 {
		rows = append(rows, fmt.Sprintf(`{"id": %d, "kommentar": %q}`, n, strings.Repeat("x", 1<<20)))
	}
	f := opened(t, written(t, rowfile.Parquet, "Afstemning", nil, rows...))
	if n := len(f.RowGroups()); n != 5 {
		t.Errorf("40 MiB are %d row groups, want 5", n)
	}
	if got := rowsOf(t, f); len(got) != 40 || got[39]["id"] != 39. {
		t.Errorf("%d rows, want 40", len(got))
	}
	f = opened(t, written(t, rowfile.Parquet, "Afstemningstype", nil, make100k()...))
	if n := len(f.RowGroups()); n != 2 || f.NumRows() != 100_001 {
		t.Errorf("%d rows are in %d row groups, want 100001 in 2", f.NumRows(), n)
	}
}

// make100k returns one row more than a row group takes.
func make100k() (rows []string) {
	for n := range 100_001 {
		rows = append(rows, fmt.Sprintf(`{"id": %d}`, n))
	}
	return rows
}

// Real rows come back from each format as they were.
func TestRealRowsComeBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Afstemning", "Aktør", "Dagsordenspunkt", "Debat", "Afstemningstype"} {
		rows := captured(t, "2019-03", schema.Suffix(name))
		columns := map[string]string{}
		for _, f := range entity(t, name).Fields {
			columns[f.Name] = f.Type
		}
		got := rowsOf(t, opened(t, written(t, rowfile.Parquet, name, nil, rows...)))
		if len(got) != len(rows) {
			t.Fatalf("%s: %d rows, want %d", name, len(got), len(rows))
		}
		for i, row := range rows {
			want := map[string]any{}
			if err := json.Unmarshal([]byte(row), &want); err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(want, func(member string, v any) bool { return v == nil && columns[member] != "" })
			if others, ok := got[i][rowfile.OtherMembers].(string); ok {
				delete(got[i], rowfile.OtherMembers)
				var more map[string]any
				if err := json.Unmarshal([]byte(others), &more); err != nil {
					t.Fatal(err)
				}
				maps.Copy(got[i], more)
			}
			for member, typ := range columns { // decimals that are zero are not kept
				if s, ok := want[member].(string); ok && typ == "Edm.DateTime" && strings.Contains(s, ".") {
					want[member] = strings.TrimRight(strings.TrimRight(s, "0"), ".")
				}
			}
			if diff := cmp.Diff(want, got[i]); diff != "" {
				t.Fatalf("%s, row %d (-capture +Parquet):\n%s", name, i, diff)
			}
		}
	}
}

// captured returns the rows of a real capture.
func captured(t *testing.T, capture, set string) (rows []string) {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "oda")
	}
	file, err := os.Open(filepath.Join(root, "snapshots", capture, set+".ndjson.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("REAL ROWS MISSING: %v; set ODASTREAM_REAL_ROWS to the folder that holds snapshots/", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rows = append(rows, lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}
