package odasim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// captures returns the folder of a real capture. If there is none it skips the test and
// logs why.
func captures(tb testing.TB, name string) string {
	tb.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	dir := filepath.Join(root, "snapshots", name)
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("REAL ROWS MISSING: %s; set ODASTREAM_REAL_ROWS to the folder that holds snapshots/", dir)
	}
	return dir
}

func TestLoadRealCaptures(t *testing.T) {
	t.Parallel()
	for capture, sets := range map[string]map[string]int{
		"2014-10": {"Afstemning": 1662, "Stemme": 267_174, "Aktør": 1984, "Sag": 1078, "SagAktørRolle": 19},
		"2014-12": {"Aktør": 1990},
		"2019-03": {
			"Afstemning": 6958, "Aktør": 16_445, "Dagsordenspunkt": 21_338, "DagsordenspunktDokument": 19_021, "DagsordenspunktSag": 4437,
			"Debat": 2093, "Almdel": 8, "AktørAktørRolle": 24, "Aktørtype": 12, "Afstemningstype": 4,
		},
	} {
		t.Run(capture, func(t *testing.T) {
			t.Parallel()
			s := newSim(Options{})
			if err := s.Load(captures(t, capture)); err != nil {
				t.Fatal(err)
			}
			for _, name := range s.names {
				if got := s.Len(name); got != sets[name] {
					t.Errorf("%s has %d rows, want %d", name, got, sets[name])
				}
			}
		})
	}
}

// TestRealRowsAreServedUnchanged compares each row of a capture with the row that is
// served: the same members in the same order, only without blanks.
func TestRealRowsAreServedUnchanged(t *testing.T) {
	t.Parallel()
	dir := captures(t, "2019-03")
	s := newSim(Options{})
	if err := s.Load(dir); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(filepath.Join(dir, "dagsordenspunkt.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := file.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	rows := s.Rows("Dagsordenspunkt")
	for i, line := range bytes.Split(bytes.TrimSpace(file.Bytes()), []byte("\n")) {
		var want bytes.Buffer
		if err := json.Compact(&want, line); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(rows[i], want.Bytes()) {
			t.Fatalf("row %d is served as %s, want %s", i, rows[i], &want)
		}
	}
}

// TestRealTiesAreServedCompletely pages through the 267,174 tied votes of 2014.
func TestRealTiesAreServedCompletely(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	if err := s.Load(captures(t, "2014-10")); err != nil {
		t.Fatal(err)
	}
	f := filterOf(t, s, "Stemme", "opdateringsdato gt datetime'2014-01-01T00:00:00.000'")
	got := 0
	for last := int64(0); ; {
		a := s.sets["Stemme"].run(query{filter: andFilter{f, idFilter{greater, last}}}, 100)
		if len(a.rows) == 0 {
			break
		}
		got += len(a.rows)
		r := row{data: a.rows[len(a.rows)-1]}
		if err := s.options.read(&r); err != nil {
			t.Fatal(err)
		}
		last = r.id
	}
	if got != 267_174 {
		t.Errorf("%d rows, want 267174", got)
	}
}

// file writes rows into a folder, gzipped if the name says so.
func file(t *testing.T, dir, name, text string) {
	t.Helper()
	data := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		data = packed.Bytes()
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadReplacesSets(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	put(t, s, "Aktør", `{"id":1}`)
	put(t, s, "Sag", `{"id":1}`)
	dir := t.TempDir()
	file(t, dir, "aktoer.ndjson.gz", `{"id": 3, "navn": "Bo",  "ukendt": {"a": [1, 2]}}`+"\n\n"+`{"navn": "Åse", "id": 2}`)
	file(t, dir, "sagaktoerrolle.ndjson", `{"id": 1, "rolle": "Taler"}`+"\n")
	file(t, dir, "README.md", "not rows")
	if err := s.Load(dir); err != nil {
		t.Fatal(err)
	}
	if got, want := string(bytes.Join(s.Rows("Aktør"), []byte("\n"))),
		`{"navn":"Åse","id":2}`+"\n"+`{"id":3,"navn":"Bo","ukendt":{"a":[1,2]}}`; got != want {
		t.Errorf("rows\n%s\nwant\n%s", got, want)
	}
	if s.Len("Sag") != 1 || s.Len("SagAktørRolle") != 1 {
		t.Errorf("Sag has %d rows, SagAktørRolle %d, want 1 and 1", s.Len("Sag"), s.Len("SagAktørRolle"))
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ name, text, want string }{
		"a file of an unknown set":     {"nope.ndjson", `{"id":1}`, `no set has the suffix "nope"`},
		"a line that is not JSON":      {"sag.ndjson", `{"id":1}` + "\n{", "line 2"},
		"a row without an id":          {"sag.ndjson", `{"ID":1}`, "not an object with an id"},
		"a row that is not an object":  {"sag.ndjson", `[1]`, "not an object with an id"},
		"an id that is not an integer": {"sag.ndjson", `{"id":"1"}`, "line 1"},
		"a stamp that is not a time":   {"sag.ndjson", `{"id":1,"opdateringsdato":"today"}`, "opdateringsdato"},
		"an id twice":                  {"sag.ndjson", `{"id":1}` + "\n" + `{"id":1}`, "id 1 twice"},
		"a folder without rows":        {"x.txt", "", "no .ndjson"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file(t, dir, c.name, c.text)
			if err := newSim(Options{}).Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load: %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestLoadRefusesBrokenGzip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sag.ndjson.gz"), []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	for claim, at := range map[string]string{"a broken file": dir, "no folder": filepath.Join(dir, "nope")} {
		if err := newSim(Options{}).Load(at); err == nil {
			t.Errorf("%s: no error", claim)
		}
	}
}
