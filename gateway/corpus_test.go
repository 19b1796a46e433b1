//go:build corpus

package gateway_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/gateway"
	"odastream/odasim"
	"odastream/odata"
	"odastream/schema"
)

// realRows returns the folder of what was measured at the source. It is not part of the
// project.
func realRows(t *testing.T) string {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	if _, err := os.Stat(filepath.Join(root, "client-queries.tsv")); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("REAL ROWS MISSING: %v; set ODASTREAM_REAL_ROWS to the folder that holds client-queries.tsv and snapshots/", err)
	}
	return root
}

// compared is how many rows of an answer are compared: some programs ask for a whole set.
const compared = 250

// TestRealProgramsAreAnswered takes most of a minute: make corpus runs it. Each query form
// of real programs, sent as they send it, gives by HTTP what evaluation in memory gives,
// over the real rows of 2014 and 2019 together. Those that package odata lists as refused
// get 400 or 404 with the reason, and those that want nothing but Atom get 406.
func TestRealProgramsAreAnswered(t *testing.T) {
	t.Parallel()
	root := realRows(t)
	sim := odasim.New(odasim.Options{PageCap: math.MaxInt32, Compare: odasim.CompareText, PublicURL: base + odasim.Root})
	for _, capture := range []string{"2019-03", "2014-10"} {
		if err := sim.Load(filepath.Join(root, "snapshots", capture)); err != nil {
			t.Fatal(err)
		}
	}
	r := over(t, sim, func(c *gateway.Config) { c.Timeout = 5 * time.Minute })
	file, err := os.Open(filepath.Join(root, "client-queries.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	answered := 0
	for lines.Scan() {
		column := strings.Split(lines.Text(), "\t")
		if !strings.HasPrefix(column[3], odasim.Root) {
			continue // the heading
		}
		t.Run(column[0], func(t *testing.T) {
			if r.compareForm(t, strings.ReplaceAll(column[3], " ", "%20")) {
				answered++
			}
		})
	}
	if answered < 200 {
		t.Errorf("%d forms were compared, want more than 200", answered)
	}
}

// compareForm compares the answers to a form, and reports whether rows were compared.
func (r *rig) compareForm(t *testing.T, form string) bool {
	t.Helper()
	path, rawQuery, _ := strings.Cut(strings.TrimPrefix(form, odasim.Root+"/"), "?")
	request, err := odata.NewModel(schema.Entities()).Parse(path, rawQuery)
	got := r.get(form)
	var wrong *odata.Error
	switch {
	case errors.As(err, &wrong):
		if got.status != http.StatusBadRequest && got.status != http.StatusNotFound || !strings.Contains(got.body, jsonString(t, wrong.What)) {
			t.Errorf("%s = %d %s, want it refused: %v", form, got.status, got.body, err)
		}
		return false
	case request.Format != "" && request.Format != odata.JSON:
		if got.status != http.StatusNotAcceptable {
			t.Errorf("%s = %d, want 406", form, got.status)
		}
		return false
	case request.Kind != odata.Rows:
		if got.status != http.StatusOK && got.status != http.StatusNotFound {
			t.Errorf("%s = %d %s", form, got.status, got.body)
		}
		return false
	}
	options, err := url.ParseQuery(strings.TrimLeft(rawQuery, "?"))
	if err != nil {
		t.Fatal(err)
	}
	if request.Top == nil {
		options.Set("$top", "250")
	}
	want := r.source(odasim.Root + "/" + path + "?" + options.Encode())
	if request.Top == nil && len(want.Value) > compared {
		want.Value = want.Value[:compared]
	}
	var rows []string
	for next := form; next != "" && (request.Top != nil || len(rows) < compared); {
		p := r.page(next)
		if p.Count != want.Count {
			t.Errorf("%s counts %q rows, want %q", next, p.Count, want.Count)
		}
		rows, next = append(rows, texts(p.Value)...), p.Next
	}
	if request.Top == nil {
		rows = rows[:min(compared, len(rows))]
	}
	if diff := cmp.Diff(texts(want.Value), rows); diff != "" {
		t.Errorf("%s (-memory +gateway):\n%.3000s", form, diff)
	}
	return true
}

// jsonString returns a text as it stands inside a JSON string.
func jsonString(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(quoted), `"`)
}
