package wiring_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/wiring"
	"odastream/schema"
)

func TestEntitiesTakeAnySpellingInLoadOrder(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		text string
		want []string
	}{
		"one name":                      {"Sag", []string{"Sag"}},
		"parents first, however listed": {"Stemme,Sag,Aktør", []string{"Aktør", "Sag", "Stemme"}},
		"transliterated, any case":      {"MOEDE, aktoer", []string{"Aktør", "Møde"}},
		"the same twice":                {"Møde,moede", []string{"Møde"}},
		"a subset only by its name":     {"Almdel", []string{"Almdel"}},
		"empty parts are nothing":       {",Sag,,", []string{"Sag"}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var l wiring.Entities
			if err := l.UnmarshalText([]byte(c.text)); err != nil {
				t.Fatalf("UnmarshalText(%q): %v", c.text, err)
			}
			if diff := cmp.Diff(c.want, names(l)); diff != "" {
				t.Errorf("UnmarshalText(%q) (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func TestEveryUnknownEntityIsNamed(t *testing.T) {
	t.Parallel()
	var l wiring.Entities
	err := l.UnmarshalText([]byte("Sga,Sag,Mode"))
	if err == nil {
		t.Fatal("UnmarshalText with unknown names = nil")
	}
	for _, want := range []string{"Sga", "Sag", "Mode", "Møde"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %q, want it to hold %q", err, want)
		}
	}
}

func TestDefaultLeavesOutTheSubsetsOfSag(t *testing.T) {
	t.Parallel()
	var none wiring.Entities
	got := names(none.OrDefault())
	if len(got) != 45 {
		t.Errorf("default entities = %d, want 45", len(got))
	}
	for _, subset := range []string{"Almdel", "Aktstykke", "Debat", "EUsag", "Forslag"} {
		for _, name := range got {
			if name == subset {
				t.Errorf("default entities hold %s", subset)
			}
		}
	}
}

func names(list []schema.Entity) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.Name)
	}
	return out
}
