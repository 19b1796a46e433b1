package oda

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/odasim"
	"odastream/schema"
)

func TestProbeNamesWhatTheSourceHasAdded(t *testing.T) {
	t.Parallel()
	entities := schema.Entities()
	for i, e := range entities {
		switch e.Name {
		case "Sag":
			fields := append(slices.Clone(e.Fields), schema.Field{Name: "nytfelt", Type: "Edm.Guid", Nullable: true})
			fields[slices.IndexFunc(fields, func(f schema.Field) bool { return f.Name == "titel" })].Type = "Edm.Int32"
			entities[i].Fields = fields
		case "Møde":
			entities[i].Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(f schema.Field) bool { return f.Name == "lokale" })
		}
	}
	gone := slices.IndexFunc(entities, func(e schema.Entity) bool { return e.Name == "Omtryk" })
	entities = append(slices.Delete(entities, gone, gone+1), schema.Entity{Name: "Høring", Fields: []schema.Field{{Name: "id", Type: "Edm.Int32"}}})
	report := probed(t, parliament(t, odasim.Options{Entities: entities}), nil, false)
	want := Drift{
		NewSets: []string{"Høring"}, MissingSets: []string{"Omtryk"},
		NewFields:     []FieldDrift{{Set: "Sag", Field: "nytfelt", Declared: "Edm.Guid?"}},
		MissingFields: []FieldDrift{{Set: "Møde", Field: "lokale", Known: "Edm.String?"}},
		Retyped:       []FieldDrift{{Set: "Sag", Field: "titel", Declared: "Edm.Int32?", Known: "Edm.String?"}},
	}
	if diff := cmp.Diff(want, report.Drift); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
	for name, part := range map[string]string{
		"metadata": ", known is ", "new-sets": "Høring", "missing-sets": "Omtryk", "new-fields": "Sag.nytfelt Edm.Guid?",
		"missing-fields": "Møde.lokale", "retyped-fields": "Sag.titel Edm.Int32?, known as Edm.String?",
	} {
		if f := found(t, report, name); f.Verdict != VerdictNote || !strings.Contains(f.Seen, part) {
			t.Errorf("%s is %+v, want a note with %q", name, f, part)
		}
	}
	if report.Trouble() {
		t.Errorf("what is new is trouble: %+v", report.Findings)
	}
}

func TestASetWithoutItsStampIsTroubleOnlyIfItIsCopied(t *testing.T) {
	t.Parallel()
	entities := schema.Entities()
	for i, e := range entities {
		if e.Name == "Fil" {
			entities[i].Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(f schema.Field) bool { return f.Name == "opdateringsdato" })
		}
	}
	for set, want := range map[string]bool{"Fil": true, "Aktør": false} {
		report := probed(t, parliament(t, odasim.Options{Entities: entities}), []string{"Sag", set}, false)
		if report.Trouble() != want {
			t.Errorf("with %s copied trouble is %v, want %v: %+v", set, report.Trouble(), want, report.Findings)
		}
	}
}
