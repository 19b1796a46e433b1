package schema

import (
	_ "embed" // for entities.json
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Size says how much room an entity set needs in the cache. The zero value is not a
// size; each entity has a size.
type Size int

// The size classes, by the rows counted or estimated at the source in 2026.
const (
	Small  Size = iota + 1 // up to a few thousand rows: types, roles, periods
	Medium                 // up to about half a million rows
	Large                  // more; its cache partition is split further by hash of the id
)

// Field is one property of an entity set as the source's $metadata declares it.
type Field struct {
	Name     string // the source's own, Danish, æøå included
	Type     string // Edm type with its prefix: "Edm.Int32", "Edm.String", "Edm.Boolean", "Edm.DateTime", "Edm.Int16"
	Nullable bool
}

// Entity is one entity set of the source.
type Entity struct {
	Name   string  // the source's own: "Aktør"
	Suffix string  // Name in topics and views: "aktoer"
	Fields []Field // in the order of $metadata, which is the order on the wire
	Links  []Link  // in the order of $metadata, which is the order on the wire
	Size   Size
	Order  int  // load order from 0: parents before children
	Subset bool // a subset of Sag under another name, not polled by default
}

// entitiesJSON was made from the service's $metadata of November 2023. Each line is an
// entity, in load order; a field is "name Type", with "?" for nullable. How links join
// is not in $metadata: links_test.go proves it on real rows. Their form is at parseLink.
//
//go:embed entities.json
var entitiesJSON []byte

var entities = sync.OnceValue(parseEntities)

func parseEntities() []Entity {
	var raw []struct {
		Name   string
		Size   string
		Subset bool
		Fields []string
		Links  []string
	}
	if err := json.Unmarshal(entitiesJSON, &raw); err != nil {
		panic("schema: entities.json: " + err.Error()) // embedded: it is broken in every build or in none
	}
	sizes := map[string]Size{"small": Small, "medium": Medium, "large": Large}
	list := make([]Entity, len(raw))
	for i, r := range raw {
		list[i] = Entity{Name: r.Name, Suffix: Suffix(r.Name), Size: sizes[r.Size], Order: i, Subset: r.Subset}
		for _, f := range r.Fields {
			name, typ, _ := strings.Cut(f, " ")
			typ, nullable := strings.CutSuffix(typ, "?")
			list[i].Fields = append(list[i].Fields, Field{Name: name, Type: "Edm." + typ, Nullable: nullable})
		}
		for _, l := range r.Links {
			list[i].Links = append(list[i].Links, parseLink(l))
		}
	}
	return list
}

// Entities returns the 50 entity sets in load order, parents before children. The
// caller owns the slice; the Fields and Links in it are shared and must not be changed.
func Entities() []Entity { return slices.Clone(entities()) }

// Lookup finds an entity set by its name in any case, in Danish or
// transliterated: "Aktør", "AKTØR" and "aktoer" are one. For an unknown name it
// returns an *UnknownEntityError that holds the nearest known ones.
func Lookup(name string) (Entity, error) {
	suffix := Suffix(strings.TrimSpace(name))
	for _, e := range entities() {
		if e.Suffix == suffix {
			return e, nil
		}
	}
	return Entity{}, &UnknownEntityError{Name: name, Nearest: nearest(suffix)}
}

// spellings are the Names of the entity sets by their Suffix.
var spellings = sync.OnceValue(func() map[string]string {
	names := make(map[string]string, len(entities()))
	for _, e := range entities() {
		names[e.Suffix] = e.Name
	}
	return names
})

// HasSuffix reports whether suffix is the Suffix of the entity set name. Of a set that
// Entities has, only the source's own spelling counts: "aktoer" is the suffix of "Aktør"
// and not of "AKTØR".
func HasSuffix(name, suffix string) bool {
	if own, known := spellings()[suffix]; known {
		return name == own
	}
	return Suffix(name) == suffix
}

// UnknownEntityError says that the source has no entity set of that name.
type UnknownEntityError struct {
	Name    string
	Nearest []string // up to three known names, the nearest first
}

// Error names the unknown entity and the nearest known ones.
func (e *UnknownEntityError) Error() string {
	return fmt.Sprintf("unknown entity %q: the nearest known ones are %s", e.Name, strings.Join(e.Nearest, ", "))
}

func nearest(suffix string) []string {
	list := Entities()
	slices.SortStableFunc(list, func(a, b Entity) int {
		return editDistance(suffix, a.Suffix) - editDistance(suffix, b.Suffix)
	})
	names := make([]string, 3)
	for i := range names {
		names[i] = list[i].Name
	}
	return names
}

// editDistance returns the Levenshtein distance in bytes: suffixes are ASCII.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
