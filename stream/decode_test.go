package stream

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

const good = `{"entity":"Sag","id":7,"action":"update","seq":9,"timestamp":"2026-11-23T15:10:00.123456Z",` +
	`"opdateringsdato":null,"origin":"tail","data":{"id":7}}`

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	rec := func(key, value string) *kgo.Record { return &kgo.Record{Key: []byte(key), Value: []byte(value)} }
	tombstone := func(key, id string) *kgo.Record {
		return &kgo.Record{Key: []byte(key), Headers: headers("ce_id", id)}
	}
	for claim, tc := range map[string]struct {
		rec  *kgo.Record
		want Class
	}{
		"no key":                             {&kgo.Record{Value: []byte(good)}, ClassDecode},
		"a key without an id":                {rec("Sag", good), ClassDecode},
		"a key whose id is no number":        {rec("Sag:x", good), ClassDecode},
		"a value that is not JSON":           {rec("Sag:7", "no JSON"), ClassDecode},
		"a value that is empty, not null":    {rec("Sag:7", ""), ClassDecode},
		"a value that is cut off":            {rec("Sag:7", good[:40]), ClassDecode},
		"a value with something behind it":   {rec("Sag:7", good+"x"), ClassDecode},
		"a value that is no UTF-8":           {rec("Sag:7", "{\"entity\":\"\xff\"}"), ClassDecode},
		"JSON that is no object":             {rec("Sag:7", "[1]"), ClassSchema},
		"an object that is no change":        {rec("Sag:7", "{}"), ClassSchema},
		"the key of another row":             {rec("Sag:8", good), ClassSchema},
		"the key of another entity":          {rec("Stemme:7", good), ClassSchema},
		"a tombstone without ce_id":          {&kgo.Record{Key: []byte("Sag:7")}, ClassSchema},
		"a tombstone of another row":         {tombstone("Sag:7", "Sag:8:9"), ClassSchema},
		"a tombstone of a longer key":        {tombstone("Sag:7", "Sag:77:9"), ClassSchema},
		"a tombstone without a seq":          {tombstone("Sag:7", "Sag:7:"), ClassSchema},
		"a tombstone whose seq is no number": {tombstone("Sag:7", "Sag:7:x"), ClassSchema},
		"a tombstone whose seq is 0":         {tombstone("Sag:7", "Sag:7:0"), ClassSchema},
		"a tombstone without a right key":    {tombstone("Sag", "Sag:7:9"), ClassDecode},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(tc.rec)
			var bad *DecodeError
			if !errors.As(err, &bad) || bad.Class != tc.want {
				t.Errorf("Decode = %v, %v, want a DecodeError of class %s", got, err, tc.want)
			}
			if err != nil && errors.Unwrap(err) == nil {
				t.Errorf("%v has no reason", err)
			}
		})
	}
}

// Who may write one topic must not write the rows of another entity.
func TestARecordOnTheWrongTopicIsRefused(t *testing.T) {
	t.Parallel()
	cfg := Config{TopicPrefix: "parliament-"}
	on := func(topic string, c schema.Change, n int) *kgo.Record {
		rec := newEncoder(cfg).records(c)[n]
		rec.Topic = topic
		return rec
	}
	for claim, tc := range map[string]struct {
		rec *kgo.Record
		ok  bool
	}{
		"an update on its topic":                 {on("parliament-aktoer", update("Aktør", 1, 5), 0), true},
		"a tombstone on its topic":               {on("parliament-aktoer", remove("Aktør", 1, 5), 1), true},
		"an entity unknown until now":            {on("parliament-nyhed", update("Nyhed", 1, 5), 0), true},
		"an update of another entity":            {on("parliament-sag", update("Aktør", 1, 5), 0), false},
		"a tombstone of another entity":          {on("parliament-sag", remove("Aktør", 1, 5), 1), false},
		"an unknown entity on another's topic":   {on("parliament-sag", update("Nyhed", 1, 5), 0), false},
		"another's name with the topic's ending": {on("parliament-sagaktoer", update("Aktør", 1, 5), 0), false},
		"the entity in another spelling":         {on("parliament-aktoer", update("Aktoer", 1, 5), 0), false},
		"the entity in another case":             {on("parliament-sag", update("SAG", 1, 5), 0), false},
		"a topic with another prefix":            {on("other-sag", update("Sag", 1, 5), 0), false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			_, err := cfg.Decode(tc.rec)
			var bad *DecodeError
			if refused := errors.As(err, &bad) && bad.Class == ClassSchema; refused == tc.ok || tc.ok && err != nil {
				t.Errorf("Decode on topic %s = %v, want no error: %v", tc.rec.Topic, err, tc.ok)
			}
		})
	}
}

// What was refused once is refused days later too, when a new sink reads the topic.
func TestARecordFromTheFutureStaysRefused(t *testing.T) {
	t.Parallel()
	written := time.Now().Add(-48 * time.Hour)
	for claim, tc := range map[string]struct {
		written time.Time
		ahead   time.Duration // of seq
		ok      bool
	}{
		"a clock that was ahead":    {written, 23 * time.Hour, true},
		"more than a day ahead":     {written, 25 * time.Hour, false},
		"no time of writing":        {time.UnixMilli(-1), 25 * time.Hour, true},
		"a time of writing to come": {time.Now().Add(48 * time.Hour), 73 * time.Hour, false},
	} {
		rec := newEncoder(Config{}).records(update("Sag", 1, written.Add(tc.ahead).UnixMicro()))[0]
		rec.Timestamp = tc.written
		if _, err := (Config{}).Decode(rec); (err == nil) != tc.ok {
			t.Errorf("%s: Decode = %v, want no error: %v", claim, err, tc.ok)
		}
	}
}

func TestARecordFromTheFutureIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for claim, tc := range map[string]struct {
		seq int64
		ok  bool
	}{
		"an hour ago":             {now.Add(-time.Hour).UnixMicro(), true},
		"a clock that is ahead":   {now.Add(23 * time.Hour).UnixMicro(), true},
		"more than a day ahead":   {now.Add(24*time.Hour + time.Minute).UnixMicro(), false},
		"nanoseconds, not micros": {now.UnixNano(), false},
		"the highest of all":      {math.MaxInt64, false},
	} {
		for kind, rec := range map[string]*kgo.Record{
			"update":    newEncoder(Config{}).records(update("Sag", 1, tc.seq))[0],
			"tombstone": newEncoder(Config{}).records(remove("Sag", 1, tc.seq))[1],
		} {
			t.Run(claim+" "+kind, func(t *testing.T) {
				t.Parallel()
				_, err := Config{}.Decode(rec)
				var bad *DecodeError
				if refused := errors.As(err, &bad) && bad.Class == ClassSchema; refused == tc.ok || tc.ok && err != nil {
					t.Errorf("Decode of seq %d = %v, want no error: %v", tc.seq, err, tc.ok)
				}
			})
		}
	}
}

func TestDecodeReturnsWhatWasPublished(t *testing.T) {
	t.Parallel()
	update := update("Aktør", 12, 1795445400123456)
	update.Changed = []string{"titel"}
	create := big("Sag", 3, 100000)
	create.Action, create.Opdateringsdato = schema.Create, ""
	for claim, want := range map[string]schema.Change{
		"an update": update, "a create without a stamp": create, "a delete": remove("Sag", 1, 2),
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(newEncoder(Config{}).records(want)[0])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Message{Change: want}, got); diff != "" {
				t.Errorf("Decode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeOfATombstone(t *testing.T) {
	t.Parallel()
	got, err := Decode(newEncoder(Config{}).records(remove("Aktør", 12, 1795445400123456))[1])
	if err != nil {
		t.Fatal(err)
	}
	want := Message{Tombstone: true, Change: schema.Change{Entity: "Aktør", ID: 12, Action: schema.Delete, Seq: 1795445400123456}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
}

func TestDecodeIgnoresUnknownMembers(t *testing.T) {
	t.Parallel()
	value := good[:len(good)-1] + `,"added_later":[1,2]}`
	rec := &kgo.Record{Key: []byte("Sag:7"), Value: []byte(value), Headers: headers("traceparent", "x")}
	if _, err := Decode(rec); err != nil {
		t.Errorf("Decode = %v, want no error", err)
	}
}

func TestDecodeSharesNoMemoryWithTheRecord(t *testing.T) {
	t.Parallel()
	rec := &kgo.Record{Key: []byte("Sag:7"), Value: []byte(good)}
	got, err := Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rec.Value {
		rec.Value[i] = 'x'
	}
	if string(got.Change.Data) != `{"id":7}` || got.Change.Entity != "Sag" {
		t.Errorf("the change became %s %s", got.Change.Entity, got.Change.Data)
	}
}

// TestPublishedChangesMatchTheSchema is the test of schema/change.schema.json
// against the bytes that go out.
func TestPublishedChangesMatchTheSchema(t *testing.T) {
	t.Parallel()
	s := changeSchema(t)
	updated := update("Sag", 1, 1)
	updated.Changed = []string{"titel"}
	unstamped := update("Sag", 1, 1)
	unstamped.Opdateringsdato = ""
	for claim, c := range map[string]schema.Change{
		"an update": update("Sag", 1, 1), "an update with names": updated, "a row without a stamp": unstamped, "a delete": remove("Sag", 1, 1),
	} {
		if err := valid(t, s, newEncoder(Config{}).records(c)[0].Value); err != nil {
			t.Errorf("%s: %v", claim, err)
		}
	}
	if err := valid(t, s, []byte(`{"entity":"Sag"}`)); err == nil {
		t.Error("the schema takes anything")
	}
}

func changeSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.ChangeSchema))
	if err != nil {
		t.Fatal(err)
	}
	const url = "https://odastream.example/change.schema.json"
	if err := c.AddResource(url, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t testing.TB, s *jsonschema.Schema, value []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return s.Validate(doc)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("Sag:7"), []byte(good), "Sag:7:9", false)
	f.Add([]byte("Sag:7"), []byte(nil), "Sag:7:9", true)
	f.Add([]byte("Aktør:-1"), []byte(`{"entity":"Akt\u00f8r"}`), "", false)
	f.Add([]byte(":"), []byte("{"), ":", true)
	f.Fuzz(func(t *testing.T, key, value []byte, id string, null bool) {
		rec := &kgo.Record{Key: key, Value: value, Headers: headers("ce_id", id)}
		if null {
			rec.Value = nil
		} else if value == nil {
			rec.Value = []byte{}
		}
		got, err := Decode(rec)
		if err != nil {
			var bad *DecodeError
			if !errors.As(err, &bad) || bad.Class != ClassDecode && bad.Class != ClassSchema {
				t.Fatalf("Decode = %v, want a DecodeError with a class", err)
			}
			return
		}
		if entity, n, err := schema.ParseKey(string(key)); err != nil || entity != got.Change.Entity || n != got.Change.ID {
			t.Fatalf("Decode took key %q for %s %d", key, got.Change.Entity, got.Change.ID)
		}
		if got.Tombstone != null || got.Change.Seq < 1 {
			t.Fatalf("Decode = %+v of null %v", got, null)
		}
		if null {
			return
		}
		// What was decoded is published as something that decodes to the same.
		again, err := Decode(newEncoder(Config{}).records(got.Change)[0])
		if err != nil || again.Change.Seq != got.Change.Seq || string(again.Change.Data) != string(got.Change.Data) {
			t.Fatalf("decoded again: %+v, %v, want %+v", again, err, got)
		}
	})
}
