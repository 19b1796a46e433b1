//go:build corpus

package query_test

import (
	"bufio"
	"errors"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odastream/odasim"
	"odastream/odata"
)

// real returns the folder of what was measured at the source. It is not part of the
// project.
func real(t *testing.T) string {
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

// TestTheFormsOfRealProgramsAreAnswered takes most of a minute: make corpus runs it. Each
// query form of real programs gives over real rows, 2014 and 2019 together, what
// evaluation in memory gives. The forms that are refused are package odata's to list.
func TestTheFormsOfRealProgramsAreAnswered(t *testing.T) {
	t.Parallel()
	root := real(t)
	sim := odasim.New(odasim.Options{PageCap: math.MaxInt32, Compare: odasim.CompareText})
	for _, capture := range []string{"2019-03", "2014-10"} {
		if err := sim.Load(filepath.Join(root, "snapshots", capture)); err != nil {
			t.Fatal(err)
		}
	}
	p := newParliament(t, sim)
	file, err := os.Open(filepath.Join(root, "client-queries.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		column := strings.Split(lines.Text(), "\t")
		path, rawQuery, _ := strings.Cut(strings.TrimPrefix(column[3], "/api/"), "?")
		request, err := p.model.Parse(path, rawQuery)
		if err != nil || request.Kind != odata.Rows {
			continue
		}
		options, err := url.ParseQuery(rawQuery)
		if err != nil {
			t.Fatal(err)
		}
		if request.Top == nil {
			options.Set("$top", "250") // some ask for a whole set
		}
		t.Run(column[0], func(t *testing.T) {
			p.compare(t, path, options, 100)
		})
	}
}
