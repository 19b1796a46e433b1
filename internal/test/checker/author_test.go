package checker

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"odastream/schema"
)

func TestAnAuthorsChangesHaveGrowingSeqs(t *testing.T) {
	t.Parallel()
	a := Author{Rand: rand.New(rand.NewPCG(1, 2)), Entities: []string{"Sag", "Stemme"}, FirstID: 50, IDs: 3, Seq: 7}
	seen := map[schema.Action]bool{}
	for n := range int64(200) {
		c := a.Change()
		if c.Seq != 8+n || c.ID < 50 || c.ID > 52 || c.Entity != "Sag" && c.Entity != "Stemme" {
			t.Fatalf("change %d is %+v", n, c)
		}
		if (c.Action == schema.Delete) != (c.Data == nil) {
			t.Errorf("%s of %s has the data %s", c.Action, c.Key(), c.Data)
		}
		seen[c.Action] = true
	}
	if len(a.Old) != 200 || len(seen) != 4 {
		t.Errorf("%d changes are remembered, of %d kinds, want 200 of 4", len(a.Old), len(seen))
	}
}

func TestBrokenRecordsAreJudgedBroken(t *testing.T) {
	t.Parallel()
	a := Author{Rand: rand.New(rand.NewPCG(1, 2)), Entities: []string{"Sag"}, FirstID: 1, IDs: 9}
	kinds := map[bool]bool{}
	for range 50 {
		key, value := a.Broken("Sag")
		if entity, id, err := schema.ParseKey(key); err != nil || entity != "Sag" || id < 1 || id > 9 {
			t.Errorf("key %q: %s %d, %v", key, entity, id, err)
		}
		c, err := schema.ParseChange([]byte(value))
		if kinds[err == nil] = true; !RecordOf(Place{}, c, err).Broken {
			t.Errorf("%s counts as a good record", value)
		}
		if err == nil && !json.Valid(c.Data) {
			t.Errorf("%s is not JSON: it would not reach Postgres", c.Data)
		}
	}
	if len(kinds) != 2 {
		t.Error("want both records without a change and those that Postgres refuses")
	}
}

func TestHostileRecordsAreOfManyKinds(t *testing.T) {
	t.Parallel()
	a := Author{Rand: rand.New(rand.NewPCG(1, 2)), Entities: []string{"Sag"}, FirstID: 1, IDs: 9}
	kinds := map[string]int{}
	for range 200 {
		key, value, header := a.Hostile("Sag")
		entity, _, err := schema.ParseKey(string(key))
		c, errValue := schema.ParseChange(value)
		switch {
		case len(key)+len(value)+len(header) > bombBytes:
			kinds["large"]++
		case value == nil:
			kinds["no value"]++
		case err != nil || errValue != nil:
			kinds["no change"]++
		case entity != "Sag":
			kinds["another entity"]++
		case schema.SeqAhead(c.Seq, time.Now()):
			kinds["forged seq"]++
		default:
			t.Errorf("%s with %s may be applied", key, value)
		}
	}
	if len(kinds) != 5 {
		t.Errorf("kinds are %v, want 5", kinds)
	}
}

func TestARecordIsJudgedByItsChange(t *testing.T) {
	t.Parallel()
	at := Place{Partition{"parliament-sag", 2}, 7}
	row := schema.Change{Entity: "Sag", ID: 3, Action: schema.Create, Seq: 9, Data: []byte(`{"id":3}`)}
	gone := schema.Change{Entity: "Sag", ID: 3, Action: schema.Delete, Seq: 10, Data: bytes.Clone(row.Data)}
	for claim, tt := range map[string]struct {
		change schema.Change
		err    error
		want   Record
	}{
		"a row has its content":                {row, nil, Record{Place: at, Key: Key{"Sag", 3}, Seq: 9, Data: `{"id":3}`, Create: true}},
		"a delete has no content":              {gone, nil, Record{Place: at, Key: Key{"Sag", 3}, Seq: 10}},
		"a record with an error has no change": {row, errors.New("no change"), Record{Place: at, Broken: true}},
	} {
		if got := RecordOf(at, tt.change, tt.err); got != tt.want {
			t.Errorf("%s: RecordOf = %+v, want %+v", claim, got, tt.want)
		}
	}
	if got := Records([]schema.Change{row, gone}); got != 3 {
		t.Errorf("Records = %d, want 3: a tombstone stands behind the delete", got)
	}
}
