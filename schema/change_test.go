package schema

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func sampleChange(data []byte) Change {
	return Change{
		Entity: "Sag", ID: 98765, Action: Update, Seq: 1795445400123456,
		Timestamp:       time.Date(2026, 11, 23, 15, 10, 0, 123456000, time.UTC),
		Opdateringsdato: "2026-11-23T16:09:58.347", Origin: OriginTail, Data: data,
	}
}

// sampleHead is what AppendJSON writes before sampleChange's data.
const sampleHead = `{"entity":"Sag","id":98765,"action":"update","seq":1795445400123456,"timestamp":"2026-11-23T15:10:00.123456Z",` +
	`"opdateringsdato":"2026-11-23T16:09:58.347","origin":"tail",`

func TestAppendJSONWritesTheContractsMembers(t *testing.T) {
	t.Parallel()
	row := []byte(`{"id":98765}`)
	for claim, c := range map[string]struct {
		edit func(*Change)
		want string
	}{
		"an update": {func(*Change) {}, sampleHead + `"data":{"id":98765}}`},
		"an update with the members that differ": {
			func(c *Change) { c.Changed = []string{"titel", `"`, "afgørelse"} },
			sampleHead + `"changed":["titel","\"","afgørelse"],"data":{"id":98765}}`,
		},
		"no member that differs": {func(c *Change) { c.Changed = []string{} }, sampleHead + `"data":{"id":98765}}`},
		"a create, which has no changed members": {
			func(c *Change) { c.Action, c.Changed = Create, []string{"titel"} },
			`{"entity":"Sag","id":98765,"action":"create","seq":1795445400123456,"timestamp":"2026-11-23T15:10:00.123456Z",` +
				`"opdateringsdato":"2026-11-23T16:09:58.347","origin":"tail","data":{"id":98765}}`,
		},
		"a snapshot without a stamp, Danish name as it is, in another zone": {
			func(c *Change) {
				*c = Change{
					Entity: "Aktør", ID: -1, Action: Snapshot, Seq: math.MaxInt64, Origin: OriginSnapshot, Data: []byte(`{}`),
					Timestamp: time.Date(2026, 10, 25, 2, 30, 0, 0, time.FixedZone("CEST", 7200)),
				}
			},
			`{"entity":"Aktør","id":-1,"action":"snapshot","seq":9223372036854775807,"timestamp":"2026-10-25T00:30:00.000000Z",` +
				`"opdateringsdato":null,"origin":"snapshot","data":{}}`,
		},
		"a delete": {
			func(c *Change) { c.Action, c.Origin, c.Data = Delete, OriginScan, nil },
			`{"entity":"Sag","id":98765,"action":"delete","seq":1795445400123456,"timestamp":"2026-11-23T15:10:00.123456Z",` +
				`"opdateringsdato":"2026-11-23T16:09:58.347","origin":"scan","data":null}`,
		},
		"less than a microsecond, cut off": {
			func(c *Change) { c.Timestamp = c.Timestamp.Add(999) },
			sampleHead + `"data":{"id":98765}}`,
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			change := sampleChange(row)
			c.edit(&change)
			if got := string(change.AppendJSON([]byte("before"))); got != "before"+c.want {
				t.Errorf("AppendJSON(before) =\n%s, want\n%s", got, "before"+c.want)
			}
		})
	}
}

// oddRows are rows that an encoder would spell in another way.
var oddRows = map[string]string{
	"ø as it is":            `{"navn":"ø"}`,
	"ø as an escape":        `{"navn":"\u00f8","akt\u00F8rid":5}`,
	"an escaped slash":      `{"url":"http:\/\/ft.dk"}`,
	"a surrogate pair":      `{"navn":"\ud83d\ude00"}`,
	"a zero character":      `{"navn":"\u0000"}`,
	"a name twice":          `{"id":1,"id":2,"id":1}`,
	"big numbers":           `{"id":12345678901234567890123,"n":1.50,"e":1E+400,"z":-0}`,
	"white space":           "{ \"id\" :\t1 ,\r\n\"a\":[ ] }",
	"members of a change":   `{"entity":"Aktør","seq":0,"data":null,"changed":3}`,
	"names in a nested one": `{"b":{"y":1,"x":{"y":1,"y":2}},"a":[{},[],null]}`,
	"html":                  "{\"navn\":\"<b>&\u2028\"}",
	"an empty one":          `{}`,
}

// The source's bytes are data: none of them is changed on the way.
func TestDataStaysByteForByte(t *testing.T) {
	t.Parallel()
	for claim, row := range oddRows {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			value := sampleChange([]byte(row)).AppendJSON(nil)
			if want := sampleHead + `"data":` + row + `}`; string(value) != want {
				t.Fatalf("AppendJSON =\n%s, want\n%s", value, want)
			}
			got, err := ParseChange(value)
			if err != nil || string(got.Data) != row {
				t.Errorf("ParseChange(%s) has data %s, %v, want %s", value, got.Data, err, row)
			}
		})
	}
}

func TestParsedChangeSharesNoMemory(t *testing.T) {
	t.Parallel()
	want := sampleChange([]byte(`{"id":98765,"titel":"Lov"}`))
	want.Changed = []string{"titel"}
	value := want.AppendJSON(nil)
	got, err := ParseChange(value)
	if err != nil {
		t.Fatal(err)
	}
	copy(value, bytes.Repeat([]byte{'x'}, len(value)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("change after its record was overwritten (-want +got):\n%s", diff)
	}
}

// changes draws changes of every kind that the contract allows.
func changes() *rapid.Generator[Change] {
	return rapid.Custom(func(t *rapid.T) Change {
		micros := rapid.Int64Range(0, 253402300799999999).Draw(t, "timestamp") // to the end of 9999
		c := Change{
			Entity:          texts.Filter(func(s string) bool { return s != "" }).Draw(t, "entity"),
			ID:              rapid.Int64().Draw(t, "id"),
			Action:          rapid.SampledFrom([]Action{Snapshot, Create, Update, Delete}).Draw(t, "action"),
			Seq:             rapid.Int64Range(1, math.MaxInt64).Draw(t, "seq"),
			Timestamp:       time.UnixMicro(micros).UTC(),
			Opdateringsdato: texts.Draw(t, "opdateringsdato"),
			Origin:          rapid.SampledFrom([]Origin{OriginTail, OriginScan, OriginSnapshot}).Draw(t, "origin"),
		}
		if c.Action != Delete {
			c.Data = bytes.TrimSpace(objects(2).Draw(t, "data").spell(nil, styles(t)))
		}
		if c.Action == Update && rapid.Bool().Draw(t, "changed known") {
			c.Changed = rapid.SliceOfN(texts, 1, 5).Draw(t, "changed")
		}
		return c
	})
}

func TestParseChangeIsTheInverseOfAppendJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := changes().Draw(t, "change")
		got, err := ParseChange(want.AppendJSON(nil))
		if err != nil {
			t.Fatalf("ParseChange(%s) = %v", want.AppendJSON(nil), err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("ParseChange(AppendJSON) (-want +got):\n%s", diff)
		}
	})
}

func TestNamesOfAChange(t *testing.T) {
	t.Parallel()
	c := Change{Entity: "Aktør", ID: 12, Seq: 1795445400123456}
	if got, want := c.Key(), "Aktør:12"; got != want {
		t.Errorf("Key() = %q, want %q", got, want)
	}
	if got, want := c.EventID(), "Aktør:12:1795445400123456"; got != want {
		t.Errorf("EventID() = %q, want %q", got, want)
	}
}

func TestTimestampsAreThoseOfTheirLayout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nanos := rapid.OneOf(rapid.Int64Range(0, 999_999_999), rapid.SampledFrom([]int64{0, 999, 1000, 100_000_000})).Draw(t, "nanoseconds")
		zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(-62_000_000_000, 253_000_000_000).Draw(t, "seconds"), nanos).In(zone)
		got, want := string(AppendTimestamp([]byte("at "), at)), at.UTC().Format("at 2006-01-02T15:04:05.000000Z")
		if got != want {
			t.Fatalf("AppendTimestamp(%s) = %s, want %s", at, got, want)
		}
	})
}
