package gateway_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"odastream/cache"
	"odastream/internal/test/machine"
	"odastream/schema"
)

// A client that has the answer is told so without a query, until the rows change.
func TestAnUnchangedAnswerCostsNoQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.applied("Sag")
	for _, path := range []string{"/api/Sag(3)", "/api/Sag?$top=5&$expand=Periode", "/api/Sag/$count"} {
		first := r.get(path)
		tag := first.header.Get("ETag")
		machine.Until(t, path+" to cost no query", func() bool { // a state that is read meanwhile counts once
			before := r.queries.Load()
			got := r.get(path, "If-None-Match: "+tag)
			if got.status != http.StatusNotModified || got.header.Get("ETag") != tag || got.header.Get("Cache-Control") == "" {
				t.Fatalf("GET %s = %d %v, want 304 with %s", path, got.status, got.header, tag)
			}
			return r.queries.Load() == before
		})
		if again := r.get(path); again.header.Get("ETag") != tag || again.body != first.body {
			t.Errorf("GET %s gives another answer than before", path)
		}
	}
	if ratio := r.metric("parliament_cache_hit_ratio", nil); ratio <= 0 || ratio >= 1 {
		t.Errorf("parliament_cache_hit_ratio = %v, want a share of all answers", ratio)
	}
}

// A tag changes exactly when the answer does, whatever changes rows: records with new
// content and with equal content, replays, the expiry, a rebuild. Two gateways agree.
func TestATagChangesExactlyWithTheAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	other := r.another()
	store := r.store(map[string]time.Duration{"Sagstype": time.Hour})
	paths := []string{"/api/Sagstype(1)", "/api/Sagstype?$orderby=type", "/api/Sagstype/$count", "/api/Sag?$top=3&$expand=Sagstype", "/api/Periode?$top=3"}
	last := map[string]reply{}
	for _, p := range paths {
		last[p] = r.get(p)
	}
	apply := func(b cache.Batch) {
		if _, err := store.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	seq, next := int64(10), int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		seq++
		rec := cache.Record{
			TopicPartition: schema.TopicPartition{Topic: "parliament-sagstype", Partition: 0}, Offset: seq,
			Change: schema.Change{Entity: "Sagstype", ID: rapid.Int64Range(1, 3).Draw(rt, "id"), Seq: seq, Action: schema.Update},
		}
		rec.Change.Data = fmt.Appendf(nil, `{"id":%d,"type":"%d","opdateringsdato":null}`, rec.Change.ID, rapid.IntRange(0, 2).Draw(rt, "type"))
		if rapid.IntRange(0, 4).Draw(rt, "delete") == 0 {
			rec.Change.Action, rec.Change.Data = schema.Delete, nil
		}
		batch := cache.Batch{Records: []cache.Record{rec}}
		switch rapid.SampledFrom([]string{"sink", "replay", "expiry"}).Draw(rt, "how") {
		case "sink":
			batch.Moves = []cache.Move{{TopicPartition: rec.TopicPartition, TopicID: [16]byte{1}, From: next, To: next + 1}}
			next++
			apply(batch)
		case "replay":
			apply(batch)
		case "expiry":
			r.exec(`UPDATE parliamentary_data SET expires_at = now() - interval '1s' WHERE entity_type = 'Sagstype' AND entity_id = $1`, rec.Change.ID)
			if _, err := store.Expire(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		r.refreshed()
		other.refreshed()
		for _, p := range paths {
			tag := last[p].header.Get("ETag")
			asked, now := r.get(p, "If-None-Match: "+tag), r.get(p)
			same := now.body == last[p].body && now.status == last[p].status
			if told := asked.status == http.StatusNotModified; told != (same && tag != "") {
				rt.Fatalf("%s: If-None-Match %s = %d, and the answer is the same: %v\n%s\n%s", p, tag, asked.status, same, last[p].body, now.body)
			}
			if here, there := now.header.Get("ETag"), other.get(p).header.Get("ETag"); here != there || same != (here == tag) {
				rt.Fatalf("%s: tags %s, %s here and %s there; the answer is the same: %v", p, tag, here, there, same)
			}
			last[p] = now
		}
	})
}

// While the copy cannot be read no answer is called unchanged.
func TestAStateThatIsTooOldVouchesForNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	tag := r.get("/api/Sag(3)").header.Get("ETag")
	r.exec(`ALTER TABLE sink_offsets RENAME TO away`)
	r.exec(`UPDATE parliamentary_data SET data = data || '{"titel": "new"}' WHERE entity_type = 'Sag' AND entity_id = 3`)
	machine.Until(t, "the answer to be asked for again", func() bool {
		return r.get("/api/Sag(3)", "If-None-Match: "+tag).status == http.StatusOK
	})
}

func (r *rig) store(ttl map[string]time.Duration) *cache.Store {
	r.t.Helper()
	return cache.New(r.writer(), "g", cache.Config{GIN: "off", TTL: ttl}, slog.New(slog.DiscardHandler))
}
