package schema

import (
	"math"
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestSuffix(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Sag":                    "sag",
		"Aktør":                  "aktoer",
		"AKTØR":                  "aktoer",
		"MødeAktør":              "moedeaktoer",
		"EUsag":                  "eusag",
		"Årsag":                  "aarsag",
		"ÆØÅæøå":                 "aeoeaaaeoeaa",
		"aktoer":                 "aktoer",
		"SlettetMap2":            "slettetmap2",
		"Høring/svar (gl.) é ß":  "hoering_svar__gl._____",
		"a-b_c.d":                "a-b_c.d",
		"":                       "",
		"bad \xff UTF-8":         "bad___utf-8",
		"\U0001f600":             "_",
		"two\nlines\x00and zero": "two_lines_and_zero",
	} {
		if got := Suffix(name); got != want {
			t.Errorf("Suffix(%q) = %q, want %q", name, got, want)
		}
	}
}

// legal matches what Kafka allows in a topic's name, without the capitals, which no
// suffix has.
var legal = regexp.MustCompile(`^[a-z0-9._-]*$`)

func TestSuffixIsLegalAndStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := texts.Draw(t, "name")
		suffix := Suffix(name)
		if !legal.MatchString(suffix) {
			t.Fatalf("Suffix(%q) = %q, which Kafka does not take", name, suffix)
		}
		if again := Suffix(suffix); again != suffix {
			t.Fatalf("Suffix(Suffix(%q)) = %q, want %q", name, again, suffix)
		}
	})
}

func TestParseKeyIsTheInverseOfKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entity := rapid.OneOf(texts, rapid.SampledFrom([]string{"Sag", "Aktør", "a:b", ":", "Sag:1"})).
			Filter(func(s string) bool { return s != "" }).Draw(t, "entity")
		id := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, math.MinInt64, math.MaxInt64})).Draw(t, "id")
		gotEntity, gotID, err := ParseKey(Key(entity, id))
		if gotEntity != entity || gotID != id || err != nil {
			t.Fatalf("ParseKey(Key(%q, %d)) = %q, %d, %v", entity, id, gotEntity, gotID, err)
		}
	})
}

func TestParseKeyRefusesTextsThatAreNoKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", ":", "Sag", "Sag:", ":1", "Sag:x", "Sag:1.0", "Sag:01", "Sag:+1", "Sag:-0", "Sag: 1", "Sag:1 ", "Sag:1\n",
		"Sag:1:", "Sag:0x1", "Sag:1_0", "Sag:9223372036854775808", "Sag:-9223372036854775809", "Sag:١", "98765",
	} {
		if entity, id, err := ParseKey(key); err == nil || entity != "" || id != 0 {
			t.Errorf("ParseKey(%q) = %q, %d, %v, want an error alone", key, entity, id, err)
		}
	}
}

// FuzzParseKey looks for a key that causes a panic, or that Key does not make again.
func FuzzParseKey(f *testing.F) {
	for _, key := range []string{"Sag:98765", "Aktør:-12", "a:b:3", "Sag:", "Sag:01", ":1"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		entity, id, err := ParseKey(key)
		if err == nil && (entity == "" || Key(entity, id) != key) {
			t.Fatalf("ParseKey(%q) = %q, %d, of which Key makes %q", key, entity, id, Key(entity, id))
		}
	})
}
