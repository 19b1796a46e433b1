package oda

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"odastream/odasim"
	"odastream/schema"
)

// document returns an EDMX document with the given content of its two schemas.
func document(types, sets string) string {
	return "\ufeff" + `<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices>` +
		`<Schema Namespace="N" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">` + types + `</Schema>` +
		`<Schema Namespace="Default"><EntityContainer Name="C">` + sets + `</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`
}

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	id := schema.Field{Name: "id", Type: "Edm.Int32"}
	const key = `<Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Int32" Nullable="false"/>`
	for claim, tt := range map[string]struct {
		types, sets string
		want        []Set
	}{
		"a set has its type's fields": {
			`<EntityType Name="Møde">` + key + `<Property Name="nummer" Type="Edm.String"/></EntityType>`, `<EntitySet Name="Møder" EntityType="N.Møde"/>`,
			[]Set{{Name: "Møder", Key: []string{"id"}, Fields: []schema.Field{id, {Name: "nummer", Type: "Edm.String", Nullable: true}}}},
		},
		"types, sets and elements that nobody knows are data": {
			`<Odd/><EntityType Name="A"><Odd/>` + key + `<Property Name="x" Type="N.Complex" Nullable="maybe"/></EntityType>`,
			`<EntitySet Name="A" EntityType="N.A"/><FunctionImport Name="F"/>`,
			[]Set{{Name: "A", Key: []string{"id"}, Fields: []schema.Field{id, {Name: "x", Type: "N.Complex", Nullable: true}}}},
		},
		"a type inherits key and fields": {
			`<EntityType Name="B" BaseType="N.A"><Property Name="b" Type="Edm.Int16"/></EntityType><EntityType Name="A">` + key + `</EntityType>`,
			`<EntitySet Name="B" EntityType="N.B"/>`,
			[]Set{{Name: "B", Key: []string{"id"}, Fields: []schema.Field{id, {Name: "b", Type: "Edm.Int16", Nullable: true}}}},
		},
		"types that inherit in a circle end": {
			`<EntityType Name="A" BaseType="N.B"/><EntityType Name="B" BaseType="N.A"><Property Name="b" Type="T"/></EntityType>`,
			`<EntitySet Name="A" EntityType="N.A"/>`,
			[]Set{{Name: "A", Fields: []schema.Field{{Name: "b", Type: "T", Nullable: true}}}},
		},
		"a set of an undeclared type has no fields": {"", `<EntitySet Name="A" EntityType="N.A"/>`, []Set{{Name: "A"}}},
		"of two with one name the first counts": {
			`<EntityType Name="A">` + key + `<Property Name="id" Type="Edm.Guid"/></EntityType>`,
			`<EntitySet Name="A" EntityType="N.A"/><EntitySet Name="A" EntityType="N.B"/><EntitySet EntityType="N.A"/>`,
			[]Set{{Name: "A", Key: []string{"id"}, Fields: []schema.Field{id}}},
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got, err := ParseMetadata([]byte(document(tt.types, tt.sets)))
			if err != nil {
				t.Fatalf("ParseMetadata: %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseMetadataRefuses(t *testing.T) {
	t.Parallel()
	for claim, doc := range map[string]string{
		"nothing":              "",
		"text":                 "Sag",
		"a web page":           "<html><body>Edmx</body></html>",
		"one that is cut off":  document("", `<EntitySet Name="A"/>`)[:200],
		"one without any set":  document("", ""),
		"one in another code":  `<?xml version="1.0" encoding="iso-8859-1"?><Edmx/>`,
		"one that is no UTF-8": document("", "<EntitySet Name=\"M\xf8de\"/>"),
	} {
		if sets, err := ParseMetadata([]byte(doc)); err == nil || !strings.HasPrefix(err.Error(), "parse $metadata: ") {
			t.Errorf("ParseMetadata of %s = %v, %v, want an error", claim, sets, err)
		}
	}
}

func TestFingerprintIgnoresTheOrder(t *testing.T) {
	t.Parallel()
	sets := knownSets()
	turned := slices.Clone(sets)
	slices.Reverse(turned)
	for i := range turned {
		turned[i].Fields = slices.Clone(turned[i].Fields)
		slices.Reverse(turned[i].Fields)
	}
	want := Fingerprint(sets)
	if got := Fingerprint(turned); got != want || len(got) != 32 {
		t.Errorf("Fingerprint in another order = %s, want %s", got, want)
	}
	for claim, change := range map[string]func([]Set){
		"a set's name": func(s []Set) { s[0].Name += "x" }, "a key": func(s []Set) { s[0].Key = []string{"nr"} },
		"a field's name": func(s []Set) { s[0].Fields[0].Name += "x" }, "a type": func(s []Set) { s[0].Fields[0].Type = "Edm.Int64" },
		"nullability": func(s []Set) { s[0].Fields[0].Nullable = true },
	} {
		changed := knownSets()
		changed[0].Fields = slices.Clone(changed[0].Fields)
		change(changed)
		if Fingerprint(changed) == want {
			t.Errorf("Fingerprint is the same with %s changed", claim)
		}
		if cmp.Equal(DriftOf(changed), Drift{}) {
			t.Errorf("DriftOf names no difference with %s changed", claim)
		}
	}
	if d := DriftOf(turned); !cmp.Equal(d, Drift{}) {
		t.Errorf("DriftOf in another order = %+v, want none", d)
	}
}

func TestTheSimulatedParliamentDeclaresTheKnownSchema(t *testing.T) {
	t.Parallel()
	report := probed(t, odasim.New(odasim.Options{}), nil, false)
	if f := found(t, report, "metadata"); f.Verdict != VerdictOK || report.Fingerprint != Fingerprint(knownSets()) {
		t.Errorf("metadata is %+v, want the known fingerprint %s", f, Fingerprint(knownSets()))
	}
}

// realDocument returns a file of the real captures, or skips the test and says so.
func realDocument(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("ODASTREAM_REAL_ROWS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "oda")
	}
	doc, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("REAL ROWS MISSING: %v", err)
	}
	return doc
}

func TestRealMetadataOf2023IsTheKnownSchema(t *testing.T) {
	t.Parallel()
	sets, err := ParseMetadata(realDocument(t, "metadata.2023-11.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if d := DriftOf(sets); !cmp.Equal(d, Drift{}) || Fingerprint(sets) != Fingerprint(knownSets()) {
		t.Errorf("%d sets of 2023 differ: %+v", len(sets), d)
	}
}

func TestRealMetadataOf2016DiffersByName(t *testing.T) {
	t.Parallel()
	sets, err := ParseMetadata(realDocument(t, "metadata.2016-01.xml"))
	if err != nil {
		t.Fatal(err)
	}
	stamp := func(set, declared, known string) FieldDrift {
		return FieldDrift{Set: set, Field: "opdateringsdato", Declared: declared, Known: known}
	}
	want := Drift{
		NewSets:     []string{"Dokumentation", "Nyhed", "SagstrinSagstrin", "SagstrinTale", "Slettet", "SlettetMap", "TabelBeskrivelse", "Tale", "Video"},
		MissingSets: []string{"EntitetBeskrivelse", "Sambehandlinger"},
		NewFields: []FieldDrift{
			{Set: "Fil", Field: "dokumentoffentlighedskode", Declared: "Edm.String?"},
			{Set: "Fil", Field: "dokumentstatus", Declared: "Edm.String?"},
			{Set: "KolloneBeskrivelse", Field: "feltnavn", Declared: "Edm.String?"},
			{Set: "KolloneBeskrivelse", Field: "tabelnavn", Declared: "Edm.String?"},
			{Set: "Møde", Field: "mødestatusid", Declared: "Edm.Int32?"},
			{Set: "Møde", Field: "mødetypeid", Declared: "Edm.Int32?"},
		},
		MissingFields: []FieldDrift{
			{Set: "KolloneBeskrivelse", Field: "entitetnavn", Known: "Edm.String?"},
			{Set: "KolloneBeskrivelse", Field: "kollonenavn", Known: "Edm.String?"},
			{Set: "Møde", Field: "statusid", Known: "Edm.Int32?"},
			{Set: "Møde", Field: "typeid", Known: "Edm.Int32?"},
		},
		Retyped: []FieldDrift{
			stamp("KolloneBeskrivelse", "Edm.DateTime", "Edm.DateTime?"), stamp("Sagstrin", "Edm.DateTime?", "Edm.DateTime"),
		},
	}
	d := DriftOf(sets)
	if diff := cmp.Diff(want, d); diff != "" || len(sets) != 57 {
		t.Errorf("%d sets of 2016, want 57; difference (-want +got):\n%s", len(sets), diff)
	}
	for _, f := range d.findings(defaultSets()) {
		if f.Verdict != VerdictNote {
			t.Errorf("%s is %s: a stamp that may be null now, or no more, is no trouble: %+v", f.Name, f.Verdict, f)
		}
	}
	if diff := cmp.Diff([]string{"Dagsordenspunkt", "Sagstrin"}, stampMayBeNull(sets, defaultSets())); diff != "" {
		t.Errorf("sets whose stamps could be null in 2016 (-want +got):\n%s", diff)
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(document(`<EntityType Name="A" BaseType="N.A"><Property Name="id" Type="Edm.Int32"/></EntityType>`, `<EntitySet Name="A" EntityType="N.A"/>`)))
	f.Add([]byte(`<Edmx><DataServices><Schema><EntityContainer><EntitySet Name="ø"/></EntityContainer></Schema></DataServices></Edmx>`))
	f.Add([]byte("\ufeff<Edmx/>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		sets, err := ParseMetadata(doc)
		if err != nil {
			if sets != nil {
				t.Fatalf("sets with an error: %v", sets)
			}
			return
		}
		if len(sets) == 0 {
			t.Fatal("no sets and no error")
		}
		names := map[string]bool{}
		for _, s := range sets {
			if s.Name == "" || names[s.Name] || !utf8.ValidString(s.Name) {
				t.Fatalf("set %q is nameless, twice or no Unicode", s.Name)
			}
			names[s.Name] = true
		}
		if Fingerprint(sets) == Fingerprint(knownSets()) != cmp.Equal(DriftOf(sets), Drift{}) {
			t.Fatal("fingerprint and named difference disagree")
		}
		back, err := ParseMetadata(rendered(sets))
		if err != nil || Fingerprint(back) != Fingerprint(sets) {
			t.Fatalf("read again: %v, fingerprint %s, want %s", err, Fingerprint(back), Fingerprint(sets))
		}
	})
}

// rendered writes sets as a document.
func rendered(sets []Set) []byte {
	var types, list bytes.Buffer
	for i, s := range sets {
		fmt.Fprintf(&types, `<EntityType Name="T%d"><Key>`, i)
		for _, k := range s.Key {
			fmt.Fprintf(&types, `<PropertyRef Name="%s"/>`, attribute(k))
		}
		types.WriteString(`</Key>`)
		for _, f := range s.Fields {
			fmt.Fprintf(&types, `<Property Name="%s" Type="%s" Nullable="%t"/>`, attribute(f.Name), attribute(f.Type), f.Nullable)
		}
		types.WriteString(`</EntityType>`)
		fmt.Fprintf(&list, `<EntitySet Name="%s" EntityType="N.T%d"/>`, attribute(s.Name), i)
	}
	return []byte(document(types.String(), list.String()))
}

// attribute escapes text for an attribute's value.
func attribute(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a Buffer does not fail
	return b.String()
}
