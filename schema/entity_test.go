package schema

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var edmTypes = []string{"Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.String", "Edm.Boolean", "Edm.DateTime", "Edm.Decimal"}

func TestEntitiesAreComplete(t *testing.T) {
	t.Parallel()
	list := Entities()
	if len(list) != 50 {
		t.Errorf("Entities() are %d, want 50", len(list))
	}
	seen := map[string]bool{}
	for i, e := range list {
		if e.Order != i {
			t.Errorf("%s is entity %d in order, but says %d", e.Name, i, e.Order)
		}
		if e.Suffix != Suffix(e.Name) || !legal.MatchString(e.Suffix) || seen[e.Suffix] {
			t.Errorf("%s has suffix %q, want one of its own that Kafka takes", e.Name, e.Suffix)
		}
		seen[e.Suffix] = true
		if e.Size < Small || e.Size > Large {
			t.Errorf("%s has size %d", e.Name, e.Size)
		}
		checkFields(t, e)
	}
}

func checkFields(t *testing.T, e Entity) {
	t.Helper()
	types := map[string]string{}
	for _, f := range e.Fields {
		if _, twice := types[f.Name]; twice || f.Name == "" || !slices.Contains(edmTypes, f.Type) {
			t.Errorf("%s has a field %+v, want a name of its own and an Edm type", e.Name, f)
		}
		types[f.Name] = f.Type
	}
	if id := e.Fields[0]; id != (Field{Name: "id", Type: "Edm.Int32"}) {
		t.Errorf("%s has %+v as its first field, want the key id", e.Name, id)
	}
	if types["opdateringsdato"] != "Edm.DateTime" {
		t.Errorf("%s has opdateringsdato of type %q", e.Name, types["opdateringsdato"])
	}
}

func TestSubsetsAreThoseOfSag(t *testing.T) {
	t.Parallel()
	sag, err := Lookup("Sag")
	if err != nil {
		t.Fatal(err)
	}
	var subsets []string
	for _, e := range Entities() {
		if !e.Subset {
			continue
		}
		subsets = append(subsets, e.Name)
		if diff := cmp.Diff(sag.Fields, e.Fields); diff != "" {
			t.Errorf("%s has not the fields of Sag:\n%s", e.Name, diff)
		}
	}
	slices.Sort(subsets)
	if want := []string{"Aktstykke", "Almdel", "Debat", "EUsag", "Forslag"}; !slices.Equal(subsets, want) {
		t.Errorf("subsets are %v, want %v", subsets, want)
	}
}

func TestLargeEntities(t *testing.T) {
	t.Parallel()
	var large []string
	for _, e := range Entities() {
		if e.Size == Large {
			large = append(large, e.Name)
		}
	}
	slices.Sort(large)
	want := []string{"Dokument", "DokumentAktør", "EmneordDokument", "Fil", "SagDokument", "SagstrinDokument", "Stemme"}
	if !slices.Equal(large, want) {
		t.Errorf("large entities are %v, want %v", large, want)
	}
}

// parentOf returns the entity that a field refers to: sagid → Sag, typeid of Sag →
// Sagstype, rolleid of SagAktør → SagAktørRolle.
func parentOf(e Entity, field string) (Entity, bool) {
	name, ok := strings.CutSuffix(field, "id")
	if !ok || name == "" {
		return Entity{}, false
	}
	for _, candidate := range []string{name, e.Name + name, e.Name + "s" + name} {
		if parent, err := Lookup(candidate); err == nil {
			return parent, parent.Name != e.Name
		}
	}
	return Entity{}, false
}

func TestParentsComeBeforeChildren(t *testing.T) {
	t.Parallel()
	references := 0
	for _, e := range Entities() {
		for _, f := range e.Fields {
			parent, ok := parentOf(e, f.Name)
			if !ok {
				continue
			}
			references++
			if parent.Order > e.Order {
				t.Errorf("%s, number %d, has %s, but %s is number %d", e.Name, e.Order, f.Name, parent.Name, parent.Order)
			}
		}
	}
	// Fewer would mean that parentOf does not understand the names.
	if references < 50 {
		t.Errorf("%d references were checked, want 50 or more", references)
	}
}

func TestEntitiesBelongToTheCaller(t *testing.T) {
	t.Parallel()
	Entities()[0] = Entity{Name: "mine"}
	if got := Entities()[0].Name; got == "mine" {
		t.Error("what one caller does to Entities() shows in the next one's")
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for _, e := range Entities() {
		for _, name := range []string{e.Name, strings.ToUpper(e.Name), strings.ToLower(e.Name), e.Suffix, strings.ToUpper(e.Suffix), " " + e.Name + "\t"} {
			got, err := Lookup(name)
			if diff := cmp.Diff(e, got); diff != "" || err != nil {
				t.Errorf("Lookup(%q), %v (-want +got):\n%s", name, err, diff)
			}
		}
	}
}

func TestLookupNamesTheNearest(t *testing.T) {
	t.Parallel()
	for typo, want := range map[string]string{
		"Saag":          "Sag",
		"Aktor":         "Aktør",
		"Aktører":       "Aktør",
		"Stemmer":       "Stemme",
		"Afstemninger":  "Afstemning",
		"Sagstin":       "Sagstrin",
		"KolonneBeskr.": "KolloneBeskrivelse",
		"SagsAktør":     "SagAktør",
		"Dokumnt":       "Dokument",
		"Moede Aktør":   "MødeAktør",
	} {
		t.Run(typo, func(t *testing.T) {
			t.Parallel()
			got, err := Lookup(typo)
			var unknown *UnknownEntityError
			if !errors.As(err, &unknown) || got.Name != "" {
				t.Fatalf("Lookup(%q) = %q, %v, want an *UnknownEntityError alone", typo, got.Name, err)
			}
			if unknown.Name != typo || len(unknown.Nearest) != 3 || unknown.Nearest[0] != want {
				t.Errorf("Lookup(%q) = %+v, want three names, %s first", typo, unknown, want)
			}
			for _, part := range append(unknown.Nearest, strconv.Quote(typo)) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("Lookup(%q) says %q, want %s in it", typo, err, part)
				}
			}
		})
	}
}

func TestLookupNeverPanics(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := texts.Draw(t, "name")
		if e, err := Lookup(name); (err == nil) != (e.Name != "") {
			t.Fatalf("Lookup(%q) = %+v, %v", name, e, err)
		}
	})
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"sag", "sag", 0}, {"sag", "saag", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}, {"flaw", "lawn", 2},
	} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// The migration repeats the list, since SQL cannot read ours.
func TestCachePartitionsAreTheEntities(t *testing.T) {
	t.Parallel()
	sql, err := Migrations.ReadFile("migrations/00001_cache.sql")
	if err != nil {
		t.Fatal(err)
	}
	type partition struct {
		Suffix string
		Split  bool
	}
	got := map[string]partition{}
	for _, m := range regexp.MustCompile(`\('(\pL+)', '([a-z]+)', (\d+)\)`).FindAllStringSubmatch(string(sql), -1) {
		got[m[1]] = partition{m[2], m[3] != "0"}
	}
	want := map[string]partition{}
	for _, e := range Entities() {
		want[e.Name] = partition{e.Suffix, e.Size == Large}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("partitions in the migration (-entities +migration):\n%s", diff)
	}
}

// TestEntitiesAreThoseOfTheSource compares the embedded list with the service's own
// $metadata.
func TestEntitiesAreThoseOfTheSource(t *testing.T) {
	t.Parallel()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	file, err := os.ReadFile(filepath.Join(root, "entities.json"))
	if err != nil {
		t.Skipf("REAL ROWS MISSING: %v", err)
	}
	var source map[string]struct{ Fields []Field }
	if err := json.Unmarshal(file, &source); err != nil {
		t.Fatal(err)
	}
	ours := map[string][]Field{}
	for _, e := range Entities() {
		ours[e.Name] = e.Fields
	}
	theirs := map[string][]Field{}
	for name := range maps.Keys(source) {
		theirs[name] = source[name].Fields
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("entities (-source +embedded):\n%s", diff)
	}
}
