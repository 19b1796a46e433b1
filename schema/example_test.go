package schema_test

import (
	"errors"
	"fmt"
	"time"

	"odastream/schema"
)

func ExampleParseChange() {
	change, err := schema.ParseChange([]byte(`{"entity":"Sag","id":98765,"action":"update",` +
		`"seq":1795445400123456,"timestamp":"2026-11-23T15:10:00.123456Z",` +
		`"opdateringsdato":"2026-11-23T16:09:58.347","origin":"tail","changed":["statusid"],` +
		`"data":{"id":98765,"statusid":11}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(change.Action, change.Key(), change.Changed)
	fmt.Println(string(change.Data))
	// Output:
	// update Sag:98765 [statusid]
	// {"id":98765,"statusid":11}
}

func ExampleParseChange_fault() {
	_, err := schema.ParseChange([]byte(`{"entity":"Sag"}`))
	var fault *schema.ParseError
	fmt.Println(errors.As(err, &fault) && fault.Class == schema.ClassSchema)
	// Output: true
}

func ExampleChange_AppendJSON() {
	change := schema.Change{
		Entity: "Sag", ID: 7, Action: schema.Create, Seq: 1795445400123456,
		Timestamp:       time.Date(2026, time.November, 23, 15, 10, 0, 0, time.UTC),
		Opdateringsdato: "2026-11-23T16:09:58", Origin: schema.OriginTail, Data: []byte(`{"id":7}`),
	}
	fmt.Println(string(change.AppendJSON(nil)))
	// Output:
	// {"entity":"Sag","id":7,"action":"create","seq":1795445400123456,"timestamp":"2026-11-23T15:10:00.000000Z","opdateringsdato":"2026-11-23T16:09:58","origin":"tail","data":{"id":7}}
}

func ExampleLookup() {
	entity, err := schema.Lookup("moedeaktoer")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(entity.Name, entity.Suffix)
	for _, field := range entity.Fields {
		fmt.Println(field.Name, field.Type)
	}
	_, err = schema.Lookup("Sga")
	fmt.Println(err)
	// Output:
	// MødeAktør moedeaktoer
	// id Edm.Int32
	// mødeid Edm.Int32
	// aktørid Edm.Int32
	// opdateringsdato Edm.DateTime
	// unknown entity "Sga": the nearest known ones are Sag, Fil, Debat
}

func ExampleContentHash() {
	one, _ := schema.ContentHash([]byte(`{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58"}`))
	other, _ := schema.ContentHash([]byte(`{"titel":"Om br\u00f8d","id":7,"opdateringsdato":"2026-11-24T08:00:00"}`))
	fmt.Println("the same content:", one == other)
	// Output: the same content: true
}

func ExampleFields_Changed() {
	_, before, err := schema.Fingerprint([]byte(`{"id":7,"titel":"Om brød","statusid":10}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(before.Changed([]byte(`{"id":7,"titel":"Om brød","statusid":11}`)))
	// Output: [statusid]
}
