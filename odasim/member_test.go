package odasim

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	for data, want := range map[string][]string{
		`{}`:                                     nil,
		`[1,2]`:                                  nil,
		`"{"`:                                    nil,
		`7`:                                      nil,
		`{"a":1}`:                                {"a", "1"},
		`{"a":-1.5e3,"b":true,"c":null,"d":"x"}`: {"a", "-1.5e3", "b", "true", "c", "null", "d", `"x"`},
		`{"a":{"b":[1,{"c":"}"}]},"d":[],"e":{}}`:    {"a", `{"b":[1,{"c":"}"}]}`, "d", "[]", "e", "{}"},
		`{"a\"b":"\\","c":"\"","akt\u00f8r":",:{}"}`: {`a"b`, `"\\"`, "c", `"\""`, "aktør", `",:{}"`},
		`{"":"","a":[[1],"]"],"a":2}`:                {"", `""`, "a", `[[1],"]"]`, "a", "2"},
	} {
		var got []string
		for name, value := range members([]byte(data)) {
			got = append(got, name, string(value))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("members of %s (-want +got):\n%s", data, diff)
		}
	}
}

// FuzzEncode checks that a row that is accepted can be read back: the members are those
// that encoding/json finds.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{
		`{"id": 1}`, ` {"id":2,"opdateringsdato":"2019-03-20T19:21:12.267","x":{"y":[null,"\"}"]}} `, `{"id":3,"\u00f8":"ø 😀"}`, `[1]`, `{"id":1,}`, `{"id":"1"}`,
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, escaped bool) {
		o := Options{EscapeUnicode: escaped, Compare: CompareTicks}
		r, err := o.encode(data)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(r.data, &want); err != nil {
			t.Fatalf("%q became %q: %v", data, r.data, err)
		}
		got := map[string]json.RawMessage{}
		for name, value := range members(r.data) {
			got[name] = json.RawMessage(value)
		}
		if len(got) != len(want) {
			t.Fatalf("%s has the members %q, want %q", r.data, got, want)
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%s: %q is %s, want %s", r.data, name, got[name], value)
			}
		}
	})
}
