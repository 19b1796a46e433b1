package schema

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// changeSchema compiles the schema that users get. It checks formats, which the
// standard makes optional.
func changeSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(ChangeSchema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("change.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("change.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func validate(s *jsonschema.Schema, value []byte) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return err
	}
	return s.Validate(document)
}

func TestChangeSchemaTakesWhatIsPublished(t *testing.T) {
	t.Parallel()
	compiled := changeSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		value := changes().Draw(t, "change").AppendJSON(nil)
		if err := validate(compiled, value); err != nil {
			t.Fatalf("schema refuses %s: %v", value, err)
		}
	})
}

func TestChangeSchemaRefusesWhatParseChangeRefuses(t *testing.T) {
	t.Parallel()
	compiled := changeSchema(t)
	for claim, value := range badValues {
		if validate(compiled, []byte(value)) == nil {
			t.Errorf("%s: schema takes %s", claim, value)
		}
	}
}

// Values of every kind in each member: the schema refuses what ParseChange refuses.
func TestChangeSchemaAndParseChangeAgree(t *testing.T) {
	t.Parallel()
	compiled := changeSchema(t)
	samples := []string{
		``, `null`, `true`, `0`, `1`, `-1`, `1.5`, `""`, `"Sag"`, `"snapshot"`, `"create"`, `"update"`, `"delete"`, `"tail"`, `"scan"`, `[]`, `["a"]`, `[1]`, `{}`,
		`"2026-11-23T15:10:00Z"`, `"2026-11-23T15:10:00+01:00"`, `"2026-11-23"`, `{"id":1}`, `9223372036854775808`,
	}
	good := map[string][]string{
		"entity": {`"Sag"`}, "id": {`1`}, "action": {`"update"`, `"create"`, `"delete"`}, "seq": {`1`}, "timestamp": {`"2026-11-23T15:10:00Z"`},
		"opdateringsdato": {`null`, `"2026"`}, "origin": {`"tail"`}, "changed": {``, `["a"]`}, "data": {`{}`, `null`},
	}
	names := slices.Sorted(maps.Keys(good))
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		odd := rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, "odd")
		var members []string
		for _, name := range names {
			from := good[name]
			if slices.Contains(odd, name) {
				from = samples
			}
			if text := rapid.SampledFrom(from).Draw(t, name); text != "" {
				members = append(members, `"`+name+`":`+text)
			}
		}
		value := []byte("{" + strings.Join(members, ",") + "}")
		_, ours := ParseChange(value)
		theirs := validate(compiled, value)
		if ours == nil {
			taken++
		}
		// Only a null changed is accepted by ParseChange and refused by the schema.
		if (ours == nil) != (theirs == nil) && !bytes.Contains(value, []byte(`"changed":null`)) && !bytes.Contains(value, []byte(`"changed":[null`)) {
			t.Fatalf("of %s ParseChange says %v, the schema %v", value, ours, theirs)
		}
	})
	if taken == 0 {
		t.Error("no value was taken: nothing was compared")
	}
}
