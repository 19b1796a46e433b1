package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"odastream/schema"
	"odastream/verify"
)

// fakeTopic is the topic of an entity with the rows of ids.
type fakeTopic struct {
	ids    []int64
	extent schema.Position
	err    error
	then   func() // called once the topic was read
}

func (f fakeTopic) Extents(context.Context, string) (map[int32]schema.Position, error) {
	return map[int32]schema.Position{0: f.extent}, f.err
}

func (f fakeTopic) LiveRows(context.Context, string) (*schema.IDSet, error) {
	set := new(schema.IDSet)
	for _, id := range f.ids {
		set.Add(id)
	}
	if f.then != nil {
		f.then()
	}
	return set, f.err
}

// The rows 1 to 5 are published and in the cache, up to offset 10 of a topic that began
// at 2.
func TestTheTopicIsComparedWithTheLedger(t *testing.T) {
	t.Parallel()
	all := []int64{1, 2, 3, 4, 5}
	good := schema.Position{TopicID: [16]byte{1}, Start: 2, Next: 12}
	for claim, tt := range map[string]struct {
		topic   fakeTopic
		sql     string
		numbers string // what verify says without Full; "": nothing
		full    string // with it
	}{
		"all rows":             {topic: fakeTopic{ids: all, extent: good}},
		"a row more":           {topic: fakeTopic{ids: append(all, 9), extent: good}},
		"a row is not there":   {topic: fakeTopic{ids: all[1:], extent: good}, full: "Sagstype/1 missing in the topic"},
		"its start moved":      {topic: fakeTopic{ids: all, extent: schema.Position{TopicID: good.TopicID, Start: 3, Next: 12}}, numbers: "partition 0 starts at 3, and started at 2 before", full: "partition 0 starts at 3"},
		"its end moved back":   {topic: fakeTopic{ids: all, extent: schema.Position{TopicID: good.TopicID, Start: 2, Next: 9}}, numbers: "partition 0 ends at 9, before 10", full: "ends at 9"},
		"another topic":        {topic: fakeTopic{ids: all, extent: schema.Position{Start: 2, Next: 12}}, numbers: "it was made anew", full: "made anew"},
		"too few offsets":      {topic: fakeTopic{ids: all[:4], extent: schema.Position{Next: 4}}, sql: `DELETE FROM poller_positions`, numbers: "it has 4 offsets, and the ledger 5 rows", full: "Sagstype/5 missing in the topic"},
		"it cannot be read":    {topic: fakeTopic{err: errors.New("no broker")}, numbers: "its topic cannot be read (--topics=false compares without it): no broker", full: "no broker"},
		"a row deleted by now": {topic: fakeTopic{ids: all[:4], extent: good}, sql: `later`},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("Sagstype", 5, 1, 1)
			w.copied("Sagstype")
			w.exec(`INSERT INTO poller_positions (entity_type, partition, topic_id, next_offset, start_offset) VALUES ('Sagstype', 0, $1, 10, 2)`, good.TopicID)
			switch tt.sql {
			case "":
			case "later":
				tt.topic.then = func() {
					w.sim.Delete("Sagstype", 5)
					w.exec(`UPDATE poller_ledger SET hash = NULL WHERE entity_id = 5`)
				}
			default:
				w.exec(tt.sql)
			}
			for _, o := range []verify.Options{{}, {Full: true}} {
				want := tt.numbers
				if o.Full {
					want = tt.full
				}
				o.Patience = 20 * time.Millisecond
				r, err := w.verifier().WithTopics(tt.topic).Verify(t.Context(), lookup(t, "Sagstype"), o)
				if err != nil {
					t.Fatal(err)
				}
				if said := r.Entities[0].Trouble + "\n" + found(r); r.OK != (want == "") || !strings.Contains(said, want) {
					t.Errorf("full %v: OK %v, says %s, want %q", o.Full, r.OK, said, want)
				}
				if got := r.Entities[0].Topic; o.Full && tt.topic.err == nil && (got == nil || *got != int64(len(tt.topic.ids))) {
					t.Errorf("topic = %v, want %d rows", got, len(tt.topic.ids))
				}
			}
		})
	}
}
