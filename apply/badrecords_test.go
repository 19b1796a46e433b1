package apply_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// badKind is a kind of bad record, with the class and SQLSTATE of its dead letter.
type badKind struct {
	class string
	key   string // "": the key of the change
	value string // %d are id and seq, and id again; "": a tombstone
}

// change is a record's value with some data.
func badData(data string) string {
	return `{"entity":"Sag","id":%d,"action":"update","seq":%d,"timestamp":"2026-11-23T15:10:00.123456Z","opdateringsdato":null,"origin":"tail","data":` + data + `}`
}

func badKinds() map[string]badKind {
	envelope := badData(`{"id":%d}`)
	return map[string]badKind{
		"no JSON":                        {class: "decode ", value: "{no change"},
		"nothing at all":                 {class: "decode ", value: " "},
		"half of a change":               {class: "decode ", value: envelope[:60]},
		"two changes":                    {class: "decode ", value: envelope + envelope},
		"bytes that are not UTF-8":       {class: "decode ", value: badData("{\"v\":\"\xff\"}")},
		"half of a surrogate pair":       {class: "decode ", value: badData(`{"v":"\ud800"}`)},
		"20,000 nested lists":            {class: "decode ", value: badData(strings.Repeat("[", 20_000))},
		"a key without an id":            {class: "decode ", key: "no key", value: envelope},
		"the key of another row":         {class: "schema ", key: "Sag:1", value: envelope},
		"a list":                         {class: "schema ", value: "[1,2,3]"},
		"no data":                        {class: "schema ", value: strings.Replace(envelope, `,"data":{"id":%d}`, "", 1)},
		"an unknown action":              {class: "schema ", value: strings.Replace(envelope, "update", "merge", 1)},
		"an id that is a text":           {class: "schema ", value: strings.Replace(envelope, `"id":%d`, `"id":"%d"`, 1)},
		"a seq of zero":                  {class: "schema ", value: strings.Replace(envelope, `"seq":%d`, `"seq":-%d`, 1)},
		"a tombstone without ce_id":      {class: "schema "},
		"a delete with data":             {class: "schema ", value: strings.Replace(envelope, "update", "delete", 1)},
		"a NUL":                          {class: "data 22P05", value: badData(`{"v":"a\u0000b"}`)},
		"a NUL in a name":                {class: "data 22P05", value: badData(`{"a\u0000b":1}`)},
		"numbers of a gigabyte":          {class: "schema ", value: badData(`{"v":[` + strings.Repeat("1e131071,", 12_000) + `0]}`)},
		"a number too large for numeric": {class: "data 22003", value: badData(`{"v":1e400000}`)},
		"another entity, whose name is too long to index": {class: "schema ", key: longName() + ":1", value: `{"entity":"` + longName() + `","id":1,"action":"update","seq":5,"timestamp":"2026-11-23T15:10:00.123456Z","opdateringsdato":null,"origin":"tail","data":{}}`},
	}
}

// Invariants 5 and 6: the bad records are dead-lettered, each with its own reason, and
// no other record of their batches is.
func TestTwentyFiveBadRecordsAmongTenThousandGoodOnes(t *testing.T) {
	t.Parallel()
	for name, brokers := range brokers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, brokers(t), "Sag", "Aktør")
			kinds := badKinds()
			claims := sortedKeys(kinds)
			var bad []string
			for i := range 25 {
				r.publish(400)
				bad = append(bad, r.produceBad(kinds[claims[i%len(claims)]], int64(1000+i)))
			}
			cfg := r.config()
			cfg.BatchRows = 5000
			r.once(r.sink(r.url, cfg, nil))
			slices.Sort(bad)
			got := strings.Split(r.dead(), "\n")
			slices.Sort(got)
			if diff := cmp.Diff(bad, got); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
			if diff := r.differ(); diff != "" {
				t.Errorf("cache: %s", diff)
			}
			if got := r.letters("Sag"); len(got) != len(bad) {
				t.Errorf("dead letters on the topic = %d, want %d", len(got), len(bad))
			}
		})
	}
}

func sortedKeys(kinds map[string]badKind) (claims []string) {
	for claim := range kinds {
		claims = append(claims, claim)
	}
	slices.Sort(claims)
	return claims
}

// produceBad writes a bad record with an id and returns the expected dead letter.
func (r *rig) produceBad(kind badKind, id int64) string {
	r.t.Helper()
	r.seq++
	rec := &kgo.Record{Topic: r.kafka.Topic("Sag"), Key: []byte(kind.key)}
	if kind.key == "" {
		rec.Key = fmt.Appendf(nil, "Sag:%d", id)
	}
	if kind.value != "" {
		value := strings.Replace(kind.value, "%d", fmt.Sprint(id), 1)
		value = strings.Replace(value, "%d", fmt.Sprint(r.seq), 1)
		rec.Value = []byte(strings.ReplaceAll(value, "%d", fmt.Sprint(id)))
	}
	if err := r.raw.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
		r.t.Fatalf("produce to %s: %v", rec.Topic, err)
	}
	return at(rec, kind.class)
}

// longName is too long for an index, and cannot be compressed.
func longName() string {
	r := rand.New(rand.NewPCG(1, 1))
	var name strings.Builder
	for name.Len() < 6000 {
		name.WriteByte('a' + byte(r.IntN(26)))
	}
	return name.String()
}
