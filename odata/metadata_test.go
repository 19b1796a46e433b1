package odata_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/odata"
	"odastream/schema"
)

// model is that of the source.
var model = odata.NewModel(schema.Entities())

// shared returns the path of a file that is measured at the source. It is not part of the
// project.
func shared(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("REAL FORMS MISSING: %v; set ODASTREAM_REAL_ROWS to the folder that holds %s", err, name)
	}
	return path
}

// lines returns the elements of a document that has one a line, sorted: the source's order
// of the sets is nearly that of their names.
func lines(document []byte) []string {
	var list []string
	for line := range strings.Lines(string(document)) {
		list = append(list, strings.TrimSpace(line))
	}
	slices.Sort(list)
	return list
}

func TestMetadataIsTheSourcesOwn(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(shared(t, "metadata.2023-11.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(source), lines(model.Metadata())); diff != "" {
		t.Errorf("$metadata (-source +written):\n%s", diff)
	}
}

// A client that reads $metadata finds no type that it does not have.
func TestMetadataOfSomeEntitiesNamesNoOther(t *testing.T) {
	t.Parallel()
	var some []schema.Entity
	for _, e := range schema.Entities() {
		if e.Name == "Sag" || e.Name == "Sagstrin" {
			some = append(some, e)
		}
	}
	document := string(odata.NewModel(some).Metadata())
	for _, want := range []string{`<NavigationProperty Name="Sagstrin" `, `<NavigationProperty Name="DeltfraSag" `, `<EntitySet Name="Sagstrin" `} {
		if !strings.Contains(document, want) {
			t.Errorf("$metadata lacks %s", want)
		}
	}
	if strings.Contains(document, "Periode") {
		t.Error("$metadata names Periode, which is not among the entities")
	}
}
