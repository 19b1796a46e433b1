package oda

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"odastream/schema"
)

// Drift is how the source's sets differ from those that package schema knows. Its lists
// are ordered by name. If all are empty, there is no difference.
type Drift struct {
	NewSets       []string     `json:"new_sets,omitempty"`
	MissingSets   []string     `json:"missing_sets,omitempty"`
	NewFields     []FieldDrift `json:"new_fields,omitempty"`     // of known sets; Known is ""
	MissingFields []FieldDrift `json:"missing_fields,omitempty"` // of known sets; Declared is ""
	Retyped       []FieldDrift `json:"retyped_fields,omitempty"` // of known sets; nullability included
	Rekeyed       []string     `json:"rekeyed_sets,omitempty"`   // known sets whose key is no longer id
}

// FieldDrift is one field that differs.
type FieldDrift struct {
	Set      string `json:"set"`
	Field    string `json:"field"`
	Declared string `json:"declared,omitempty"` // type at the source now, "Edm.Int32" or "Edm.Int32?"
	Known    string `json:"known,omitempty"`    // type in package schema
}

// String returns "Sag.titel Edm.Int32, known as Edm.String?".
func (d FieldDrift) String() string {
	name := d.Set + "." + d.Field
	switch {
	case d.Declared == "":
		return name + " " + d.Known
	case d.Known == "":
		return name + " " + d.Declared
	}
	return fmt.Sprintf("%s %s, known as %s", name, d.Declared, d.Known)
}

// DriftOf returns how sets differ from those of package schema.
func DriftOf(sets []Set) Drift {
	var d Drift
	known := knownSets()
	for _, s := range sets {
		if i := indexOf(known, s.Name); i >= 0 {
			d.compare(s, known[i])
		} else {
			d.NewSets = append(d.NewSets, s.Name)
		}
	}
	for _, k := range known {
		if indexOf(sets, k.Name) < 0 {
			d.MissingSets = append(d.MissingSets, k.Name)
		}
	}
	for _, names := range [][]string{d.NewSets, d.MissingSets, d.Rekeyed} {
		slices.Sort(names)
	}
	for _, fields := range [][]FieldDrift{d.NewFields, d.MissingFields, d.Retyped} {
		slices.SortFunc(fields, func(a, b FieldDrift) int {
			return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Field, b.Field))
		})
	}
	return d
}

func indexOf(sets []Set, name string) int {
	return slices.IndexFunc(sets, func(s Set) bool { return s.Name == name })
}

// compare adds the differences between a set and the known one.
func (d *Drift) compare(have, known Set) {
	if !slices.Equal(have.Key, known.Key) {
		d.Rekeyed = append(d.Rekeyed, have.Name)
	}
	for _, f := range have.Fields {
		k, ok := known.field(f.Name)
		switch drift := (FieldDrift{Set: have.Name, Field: f.Name, Declared: typeText(f)}); {
		case !ok:
			d.NewFields = append(d.NewFields, drift)
		case f != k:
			drift.Known = typeText(k)
			d.Retyped = append(d.Retyped, drift)
		}
	}
	for _, k := range known.Fields {
		if _, ok := have.field(k.Name); !ok {
			d.MissingFields = append(d.MissingFields, FieldDrift{Set: have.Name, Field: k.Name, Known: typeText(k)})
		}
	}
}

// breaking returns the set and field of each drift with which an entity cannot be
// followed: key or stamp missing or of another type.
func (d Drift) breaking(followed []string) []string {
	var out []string
	for _, f := range slices.Concat(d.MissingFields, d.Retyped) {
		essential := f.Field == "id" || f.Field == "opdateringsdato"
		sameType := strings.TrimSuffix(f.Declared, "?") == strings.TrimSuffix(f.Known, "?")
		if essential && !sameType && slices.Contains(followed, f.Set) {
			out = append(out, f.Set+"."+f.Field)
		}
	}
	for _, set := range d.Rekeyed {
		if slices.Contains(followed, set) {
			out = append(out, set+" key")
		}
	}
	return out
}

// findings returns what d means for the copied sets, followed.
func (d Drift) findings(followed []string) []Finding {
	var out []Finding
	list := func(name string, what []string, means string) {
		if len(what) > 0 {
			out = append(out, Finding{Name: name, Verdict: VerdictNote, Seen: strings.Join(what, "; "), Means: means})
		}
	}
	list("new-sets", d.NewSets, "not copied, since this version does not know them; a newer one may")
	list("missing-sets", d.MissingSets, "they will answer 404: they are not read, and none of their rows is deleted")
	list("new-fields", texts(d.NewFields), "copied unchanged with their rows; the views do not have them")
	list("missing-fields", texts(d.MissingFields), "the rows lack them; the views show null")
	list("retyped-fields", texts(d.Retyped), "copied unchanged; a value that does not fit the view's type is null there")
	if broken := d.breaking(followed); len(broken) > 0 {
		out = append(out, Finding{
			Name: "key-and-stamp", Verdict: VerdictTrouble,
			Seen:   strings.Join(broken, "; ") + ": missing, or declared differently",
			Means:  "rows are identified by id and followed by opdateringsdato, which these sets do not allow",
			Remedy: "leave these sets out of ODA_ENTITIES until a version of odastream knows their new form",
		})
	}
	return out
}

func texts(fields []FieldDrift) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.String()
	}
	return out
}

// stampMayBeNull returns the followed sets whose declared stamp may be null.
func stampMayBeNull(sets []Set, followed []string) []string {
	var out []string
	for _, s := range sets {
		f, ok := s.field("opdateringsdato")
		if ok && f.Nullable && slices.Contains(followed, s.Name) {
			out = append(out, s.Name)
		}
	}
	return out
}

// defaultSets returns all known sets but the subsets of Sag.
func defaultSets() []string {
	var out []string
	for _, e := range schema.Entities() {
		if !e.Subset {
			out = append(out, e.Name)
		}
	}
	return out
}
