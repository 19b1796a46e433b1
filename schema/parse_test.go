package schema

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sampleValue is a record's value with one part of it replaced.
func sampleValue(old, replacement string) string {
	whole := sampleHead + `"data":{"id":98765}}`
	if !strings.Contains(whole, old) {
		panic("no " + old + " in " + whole)
	}
	return strings.Replace(whole, old, replacement, 1)
}

// badValues are JSON values that ParseChange refuses as no change.
var badValues = map[string]string{
	"null":                         `null`,
	"a number":                     `1`,
	"a text":                       `"Sag"`,
	"an array":                     `[]`,
	"an empty object":              `{}`,
	"no entity":                    sampleValue(`"entity":"Sag",`, ``),
	"an empty entity":              sampleValue(`"Sag"`, `""`),
	"an entity that is null":       sampleValue(`"Sag"`, `null`),
	"an entity that is a number":   sampleValue(`"Sag"`, `1`),
	"entity in capitals":           sampleValue(`"entity"`, `"Entity"`),
	"no id":                        sampleValue(`"id":98765,`, ``),
	"an id that is null":           sampleValue(`98765,`, `null,`),
	"an id that is a text":         sampleValue(`98765,`, `"98765",`),
	"an id with a fraction":        sampleValue(`98765,`, `98765.5,`),
	"an id above 64 bits":          sampleValue(`98765,`, `9223372036854775808,`),
	"an id below 64 bits":          sampleValue(`98765,`, `-9223372036854775809,`),
	"no action":                    sampleValue(`"action":"update",`, ``),
	"an unknown action":            sampleValue(`"update"`, `"upsert"`),
	"an action in capitals":        sampleValue(`"update"`, `"UPDATE"`),
	"an action that is null":       sampleValue(`"update"`, `null`),
	"no seq":                       sampleValue(`"seq":1795445400123456,`, ``),
	"seq 0":                        sampleValue(`1795445400123456`, `0`),
	"a seq below 0":                sampleValue(`1795445400123456`, `-1`),
	"a seq above 64 bits":          sampleValue(`1795445400123456`, `9223372036854775808`),
	"a seq that is a text":         sampleValue(`1795445400123456`, `"1795445400123456"`),
	"a seq that is null":           sampleValue(`1795445400123456`, `null`),
	"no timestamp":                 sampleValue(`"timestamp":"2026-11-23T15:10:00.123456Z",`, ``),
	"an empty timestamp":           sampleValue(`2026-11-23T15:10:00.123456Z`, ``),
	"a timestamp without zone":     sampleValue(`00.123456Z`, `00.123456`),
	"a timestamp in another zone":  sampleValue(`00.123456Z`, `00.123456+01:00`),
	"a timestamp that is a number": sampleValue(`"2026-11-23T15:10:00.123456Z"`, `1795445400123456`),
	"a timestamp of no day":        sampleValue(`2026-11-23`, `2026-02-30`),
	"a timestamp with a comma":     sampleValue(`00.123456Z`, `00,123456Z`),
	"a timestamp of one digit":     sampleValue(`T15:10`, `T5:10`),
	"no opdateringsdato":           sampleValue(`"opdateringsdato":"2026-11-23T16:09:58.347",`, ``),
	"a stamp that is a number":     sampleValue(`"2026-11-23T16:09:58.347"`, `1`),
	"a stamp that is an object":    sampleValue(`"2026-11-23T16:09:58.347"`, `{}`),
	"no origin":                    sampleValue(`"origin":"tail",`, ``),
	"an unknown origin":            sampleValue(`"tail"`, `"head"`),
	"an origin that is null":       sampleValue(`"tail"`, `null`),
	"changed is no array":          sampleValue(`"data"`, `"changed":"titel","data"`),
	"changed names nothing":        sampleValue(`"data"`, `"changed":[],"data"`),
	"changed holds a number":       sampleValue(`"data"`, `"changed":[1],"data"`),
	"changed of a create":          strings.Replace(sampleValue(`"data"`, `"changed":["titel"],"data"`), "update", "create", 1),
	"no data":                      sampleValue(`,"data":{"id":98765}`, ``),
	"data that is null":            sampleValue(`{"id":98765}`, `null`),
	"data that is an array":        sampleValue(`{"id":98765}`, `[]`),
	"data that is a text":          sampleValue(`{"id":98765}`, `"{}"`),
	"a delete with data":           sampleValue(`"update"`, `"delete"`),
	"a delete with a text":         strings.Replace(sampleValue(`{"id":98765}`, `""`), "update", "delete", 1),
	"a delete without data":        strings.Replace(sampleValue(`,"data":{"id":98765}`, ``), "update", "delete", 1),
}

func TestParseChangeRefusesJSONThatIsNoChange(t *testing.T) {
	t.Parallel()
	for claim, value := range badValues {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			wantParseError(t, value, ClassSchema)
		})
	}
}

func TestParseChangeRefusesInvalidJSON(t *testing.T) {
	t.Parallel()
	for claim, value := range map[string]string{
		"nothing":                     ``,
		"white space":                 "  \n",
		"a word":                      `hello`,
		"an HTML page":                `<!DOCTYPE html><html></html>`,
		"half a change":               sampleHead,
		"a change and more":           sampleValue(`}}`, `}} x`),
		"two changes":                 sampleValue(`}}`, `}}`) + `{}`,
		"an unquoted name":            sampleValue(`"origin"`, `origin`),
		"a comma too many":            sampleValue(`"data":{"id":98765}`, `"data":{"id":98765,}`),
		"bytes that are no UTF-8":     sampleValue(`"Sag"`, "\"\xff\""),
		"no UTF-8 inside the data":    sampleValue(`{"id":98765}`, "{\"a\":\"\xf8\"}"),
		"half a surrogate pair":       sampleValue(`{"id":98765}`, `{"a":"\ud83d"}`),
		"a byte order mark":           "\ufeff" + sampleValue(`Sag`, `Sag`),
		"a number with zeros before":  sampleValue(`{"id":98765}`, `{"id":098765}`),
		"a wrong member, then no end": `{"entity":1,`,
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			wantParseError(t, value, ClassDecode)
		})
	}
}

func wantParseError(t *testing.T, value, class string) {
	t.Helper()
	got, err := ParseChange([]byte(value))
	var fault *ParseError
	if !errors.As(err, &fault) || fault.Class != class {
		t.Fatalf("ParseChange(%q) = %v, want class %s", value, err, class)
	}
	if !strings.HasPrefix(err.Error(), "parse change: "+class+": ") || fault.Unwrap() == nil {
		t.Errorf("ParseChange(%q) says %q, want its class and cause", value, err)
	}
	if diff := cmp.Diff(Change{}, got); diff != "" {
		t.Errorf("ParseChange(%q) gives a change beside its error:\n%s", value, diff)
	}
}

func TestParseErrorSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		sampleValue(`"update"`, `"upsert"`):      `action is "upsert", want snapshot, create, update or delete`,
		sampleValue(`"tail"`, `"head"`):          `origin is "head", want tail, scan or snapshot`,
		sampleValue(`1795445400123456`, `-1`):    `seq is -1, want above 0`,
		sampleValue(`00.123456Z`, `00.1+01:00`):  `timestamp is "2026-11-23T15:10:00.1+01:00", want RFC 3339 in UTC`,
		sampleValue(`98765,`, `"98765",`):        `/id`,
		sampleValue(`"data":{"id":98765}`, `"x`): io.ErrUnexpectedEOF.Error(),
	} {
		if _, err := ParseChange([]byte(value)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseChange(%s) = %v, want %q in it", value, err, want)
		}
	}
}

func TestParseChangeReadsTheJSONOfOtherWriters(t *testing.T) {
	t.Parallel()
	want := sampleChange([]byte(`{"id":98765}`))
	for claim, value := range map[string]string{
		"members that it does not know": sampleValue(`"data"`, `"version":{"major":2},"data"`),
		"members in another order":      `{"data":{"id":98765},` + strings.TrimSuffix(strings.TrimPrefix(sampleHead, "{"), ",") + `}`,
		"white space":                   " " + strings.ReplaceAll(sampleValue(`Sag`, `Sag`), `,"`, ",\n \"") + "\n",
		"escapes":                       sampleValue(`"Sag"`, `"\u0053ag"`),
		"digits below a microsecond":    sampleValue(`00.123456Z`, `00.123456789Z`),
		"changed that is null":          sampleValue(`"data"`, `"changed":null,"data"`),
		"a member twice: the last":      sampleValue(`"entity"`, `"entity":"Aktør","seq":0,"id":null,"entity"`),
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got, err := ParseChange([]byte(value))
			if err != nil {
				t.Fatalf("ParseChange(%s) = %v", value, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseChange(%s) (-want +got):\n%s", value, diff)
			}
		})
	}
}

// FuzzParseChange looks for a value that causes a panic, or that differs when its
// change is encoded and parsed again.
func FuzzParseChange(f *testing.F) {
	f.Add(sampleChange(sagRow).AppendJSON(nil))
	for _, row := range oddRows {
		f.Add(sampleChange([]byte(row)).AppendJSON(nil))
	}
	for _, value := range badValues {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		before := bytes.Clone(value)
		c, err := ParseChange(value)
		if !bytes.Equal(value, before) {
			t.Fatalf("ParseChange(%q) wrote into it: %q", before, value)
		}
		if err != nil {
			if _, ok := errors.AsType[*ParseError](err); !ok {
				t.Fatalf("ParseChange(%q) = %v, want a *ParseError", value, err)
			}
			return
		}
		again, err := ParseChange(c.AppendJSON(nil))
		if err != nil {
			t.Fatalf("ParseChange(%q) = %v, written anew from %q", c.AppendJSON(nil), err, value)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatalf("written again from %q (-want +got):\n%s", value, diff)
		}
	})
}
