package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

func headers(pairs ...string) []kgo.RecordHeader {
	var hs []kgo.RecordHeader
	for i := 0; i < len(pairs); i += 2 {
		hs = append(hs, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return hs
}

func TestRecordIsByteForByteTheContracts(t *testing.T) {
	t.Parallel()
	c := update("Sag", 98765, 1795445400123456)
	got := newEncoder(Config{TopicPrefix: "parliament-"}).records(c)
	want := []*kgo.Record{{
		Topic: "parliament-sag",
		Key:   []byte("Sag:98765"),
		Value: []byte(`{"entity":"Sag","id":98765,"action":"update","seq":1795445400123456,"timestamp":"2026-11-23T15:10:00.123456Z",` +
			`"opdateringsdato":"2026-11-23T16:09:58.347","origin":"tail","data":{"id":98765,"titel":"Forslag til lov om ændring"}}`),
		Headers: headers(
			"ce_specversion", "1.0",
			"ce_id", "Sag:98765:1795445400123456",
			"ce_source", "https://oda.ft.dk/api/Sag",
			"ce_type", "dk.ft.oda.update",
			"ce_subject", "Sag(98765)",
			"ce_time", "2026-11-23T15:10:00.123456Z",
			"content-type", "application/json",
		),
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(kgo.Record{}, kgo.RecordAttrs{})); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestHeadersOfADanishEntityAndAnotherSource(t *testing.T) {
	t.Parallel()
	c := update("Aktør", 12, 7)
	c.Timestamp = time.Date(2026, 7, 1, 14, 0, 0, 0, time.FixedZone("CEST", 7200))
	got := newEncoder(Config{Source: "http://127.0.0.1:8380/api/"}).records(c)[0].Headers
	want := headers(
		"ce_specversion", "1.0",
		"ce_id", "Aktør:12:7",
		"ce_source", "http://127.0.0.1:8380/api/Akt%C3%B8r",
		"ce_type", "dk.ft.oda.update",
		"ce_subject", "Aktør(12)",
		"ce_time", "2026-07-01T12:00:00.000000Z",
		"content-type", "application/json",
	)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// Anybody may read a record: what signs in at the source has no place there.
func TestTheSourceOfARecordHasNoUser(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://me:hunter22@127.0.0.1:8380/api":   "http://127.0.0.1:8380/api/Sag",
		"https://hunter22@source.test/api/":       "https://source.test/api/Sag",
		"https://source.test/api?key=hunter22#x":  "https://source.test/api/Sag",
		"http://me:hunter22@source.test:port/api": DefaultSource + "/Sag",
		"me:hunter22@source.test/api":             DefaultSource + "/Sag",
		"":                                        DefaultSource + "/Sag",
	} {
		for _, rec := range newEncoder(Config{Source: address}).records(remove("Sag", 7, 9)) {
			for _, h := range rec.Headers {
				if got := string(h.Value); strings.Contains(got, "hunter") || h.Key == "ce_source" && got != want {
					t.Errorf("source %q: header %s is %q, want %q in ce_source", address, h.Key, got, want)
				}
			}
		}
	}
}

func TestADeleteIsFollowedByItsTombstone(t *testing.T) {
	t.Parallel()
	got := newEncoder(Config{TopicPrefix: "parliament-"}).records(remove("Sag", 7, 9))
	if len(got) != 2 {
		t.Fatalf("a delete gives %d records, want 2", len(got))
	}
	if got[0].Value == nil || got[1].Value != nil {
		t.Errorf("values %q, %q, want the delete and then null", got[0].Value, got[1].Value)
	}
	for i, rec := range got {
		if id, _ := header(rec, "ce_id"); id != "Sag:7:9" || string(rec.Key) != "Sag:7" || rec.Topic != "parliament-sag" {
			t.Errorf("record %d has ce_id %s, key %s, topic %s", i, id, rec.Key, rec.Topic)
		}
	}
}

func TestAPageHasTheRecordsOfItsChangesInOrder(t *testing.T) {
	t.Parallel()
	enc := newEncoder(Config{TopicPrefix: "parliament-"})
	long := update("Sag", 3, 3)
	for range 100 { // more than a record has room for beside its row
		long.Changed = append(long.Changed, "afgørelsesresultatkode")
	}
	page := []schema.Change{update("Sag", 1, 1), update("Aktør", 1, 2), long, remove("Sag", 1, 4), update("Sag", 2, 5)}
	var want []*kgo.Record
	for _, c := range page {
		want = append(want, enc.records(c)...)
	}
	got := enc.records(page...)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(kgo.Record{}, kgo.RecordAttrs{})); diff != "" {
		t.Errorf("records of a page, want those of each change (-want +got):\n%s", diff)
	}
	if value := string(long.AppendJSON(nil)); string(got[2].Value) != value {
		t.Errorf("value %s, want %s", got[2].Value, value)
	}
	if got := enc.records(); len(got) > 0 {
		t.Errorf("no changes give %d records, want none", len(got))
	}
}

func TestTextsOfARecordShareNoMemory(t *testing.T) {
	t.Parallel()
	rec := newEncoder(Config{}).records(update("Sag", 1, 2))[0]
	_, _ = append(rec.Key, "0"...), append(rec.Value, "0"...)
	for _, h := range rec.Headers {
		_ = append(h.Value, "0"...)
	}
	want := newEncoder(Config{}).records(update("Sag", 1, 2))[0]
	if diff := cmp.Diff(want, rec, cmp.AllowUnexported(kgo.Record{}, kgo.RecordAttrs{})); diff != "" {
		t.Errorf("record after each text was appended to (-want +got):\n%s", diff)
	}
}

func TestEachActionHasItsType(t *testing.T) {
	t.Parallel()
	for _, action := range []schema.Action{schema.Snapshot, schema.Create, schema.Update, schema.Delete} {
		c := update("Sag", 1, 1)
		c.Action = action
		if got, _ := header(newEncoder(Config{}).records(c)[0], "ce_type"); got != "dk.ft.oda."+string(action) {
			t.Errorf("ce_type of %s is %s", action, got)
		}
	}
}

func TestRoundsKeepTheOrderOfAKey(t *testing.T) {
	t.Parallel()
	rec := func(topic, key, value string) *kgo.Record {
		return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
	}
	in := []*kgo.Record{rec("a", "1", "x"), rec("a", "2", "x"), rec("a", "1", "y"), rec("b", "1", "x"), rec("a", "1", "z"), rec("a", "2", "y")}
	got := splitRounds(in)
	want := [][]*kgo.Record{{in[0], in[1], in[3]}, {in[2], in[5]}, {in[4]}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(kgo.Record{}, kgo.RecordAttrs{})); diff != "" {
		t.Errorf("rounds (-want +got):\n%s", diff)
	}
}

// BenchmarkRecords is what the record of each change costs the poller: one
// iteration is a page of 100.
func BenchmarkRecords(b *testing.B) {
	enc, page := newEncoder(Config{}), make([]schema.Change, 100)
	for i := range page {
		page[i] = big("Aktør", int64(i), 500)
	}
	b.ReportAllocs()
	for b.Loop() {
		enc.records(page...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(100*b.N), "ns/record")
}
