package oda

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"odastream/schema"
)

// Set is an entity set as a $metadata document declares it.
type Set struct {
	Name   string
	Key    []string       // names of the key's fields; the source's have one, id
	Fields []schema.Field // in the document's order, inherited ones first
}

// field returns the field with a name.
func (s Set) field(name string) (schema.Field, bool) {
	i := slices.IndexFunc(s.Fields, func(f schema.Field) bool { return f.Name == name })
	if i < 0 {
		return schema.Field{}, false
	}
	return s.Fields[i], true
}

// The parts of an EDMX document that are used, by their local names. The versions of
// OData changed the namespaces, but not the names.
type (
	edmx struct {
		XMLName xml.Name
		Schemas []edmxSchema `xml:"DataServices>Schema"`
	}
	edmxSchema struct {
		Namespace  string          `xml:"Namespace,attr"`
		Types      []edmxType      `xml:"EntityType"`
		Containers []edmxContainer `xml:"EntityContainer"`
	}
	edmxType struct {
		Name       string         `xml:"Name,attr"`
		Base       string         `xml:"BaseType,attr"`
		Key        []edmxRef      `xml:"Key>PropertyRef"`
		Properties []edmxProperty `xml:"Property"`
	}
	edmxRef struct {
		Name string `xml:"Name,attr"`
	}
	edmxProperty struct {
		Name     string `xml:"Name,attr"`
		Type     string `xml:"Type,attr"`
		Nullable string `xml:"Nullable,attr"`
	}
	edmxContainer struct {
		Sets []edmxSet `xml:"EntitySet"`
	}
	edmxSet struct {
		Name string `xml:"Name,attr"`
		Type string `xml:"EntityType,attr"`
	}
)

// ParseMetadata reads the entity sets of a $metadata document (EDMX), in the document's
// order. Unknown sets, fields and types are returned like all others. A set whose type
// is not declared has no fields. An error means that the document is no EDMX or
// declares no set.
func ParseMetadata(doc []byte) ([]Set, error) {
	var x edmx
	if err := xml.Unmarshal(doc, &x); err != nil {
		return nil, fmt.Errorf("parse $metadata: %w", err)
	}
	if x.XMLName.Local != "Edmx" {
		return nil, fmt.Errorf("parse $metadata: the document is %q, want Edmx", x.XMLName.Local)
	}
	types := x.types()
	var sets []Set
	seen := map[string]bool{"": true} // a set without a name cannot be asked
	for _, s := range x.Schemas {
		for _, c := range s.Containers {
			for _, declared := range c.Sets {
				if !seen[declared.Name] {
					seen[declared.Name] = true
					sets = append(sets, types.set(declared))
				}
			}
		}
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("parse $metadata: it declares no entity set")
	}
	return sets, nil
}

// edmxTypes returns a document's entity types by their full names.
type edmxTypes map[string]edmxType

func (x edmx) types() edmxTypes {
	types := edmxTypes{}
	for _, s := range x.Schemas {
		for _, t := range s.Types {
			types[s.Namespace+"."+t.Name] = t
		}
	}
	return types
}

// set fills in the fields of a set's type and of its base types.
func (types edmxTypes) set(declared edmxSet) Set {
	s := Set{Name: declared.Name}
	var lineage []edmxType
	for name := declared.Type; name != ""; {
		t, known := types[name]
		if !known || len(lineage) == len(types) { // a cycle: every type was visited
			break
		}
		lineage = append(lineage, t)
		name = t.Base
	}
	for _, t := range slices.Backward(lineage) {
		for _, k := range t.Key {
			s.Key = append(s.Key, k.Name)
		}
		for _, p := range t.Properties {
			if _, twice := s.field(p.Name); p.Name != "" && !twice {
				s.Fields = append(s.Fields, schema.Field{Name: p.Name, Type: p.Type, Nullable: p.Nullable != "false"})
			}
		}
	}
	return s
}

// Fingerprint returns 32 hexadecimal digits. They are equal for equal sets, keys and
// fields, whatever their order and namespace.
func Fingerprint(sets []Set) string {
	var lines []string
	for _, s := range sets {
		lines = append(lines, fmt.Sprintf("%q %q", s.Name, s.Key))
		for _, f := range s.Fields {
			lines = append(lines, fmt.Sprintf("%q %q %s", s.Name, f.Name, typeText(f)))
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:16])
}

// typeText returns a field's type in one word, with ? where it may be null.
func typeText(f schema.Field) string {
	if f.Nullable {
		return f.Type + "?"
	}
	return f.Type
}

// knownSets returns the sets of package schema.
func knownSets() []Set {
	entities := schema.Entities()
	sets := make([]Set, len(entities))
	for i, e := range entities {
		sets[i] = Set{Name: e.Name, Key: []string{"id"}, Fields: e.Fields}
	}
	return sets
}
