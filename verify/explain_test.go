package verify_test

import (
	"strings"
	"testing"

	"odastream/oda"
	"odastream/verify"
)

func TestExplainNamesTheFirstCause(t *testing.T) {
	t.Parallel()
	sql := func(text string) func(*world) { return func(w *world) { w.exec(text) } }
	edit := func(w *world) {
		if err := w.sim.Edit("Sagstype", 2, "type", "edited"); err != nil {
			w.t.Fatal(err)
		}
	}
	const letter = `INSERT INTO dead_letters (topic, partition, "offset", key, class, error, failed_at) VALUES ('t', 1, 77, 'Sagstype:2', 'data', 'x', now());`
	tests := map[string]struct {
		do   func(*world)
		want string
	}{
		"all agree":      {func(*world) {}, "is the same at the source, in the ledger and in the cache"},
		"a silent edit":  {edit, "different in the ledger, so it is not published: it is stamped before the entity's watermark, so it is a silent edit"},
		"gone at source": {func(w *world) { w.sim.Delete("Sagstype", 2) }, "is gone at the source and its delete is not published"},
		"gone with a topic": {func(w *world) {
			w.sim.Delete("Sagstype", 2)
			w.exec(`UPDATE poller_ledger SET seq = 0, hash = NULL`)
		}, "is gone at the source and its delete is not published"},
		"dirty":            {sql(`UPDATE poller_ledger SET hash = ''`), "the poller publishes the row again"},
		"not in the cache": {sql(`DELETE FROM parliamentary_data`), "missing in the cache: see that the sink runs"},
		"a dead letter":    {sql(letter + `DELETE FROM parliamentary_data`), "the sink could not apply it: odastream dlq show"},
		"never read":       {sql(`DELETE FROM poller_ledger; DELETE FROM poller_watermarks`), "the entity was never read"},
		"expired": {sql(`DELETE FROM parliamentary_data;
INSERT INTO parliamentary_deleted (entity_type, entity_id, seq, expired) VALUES ('Sagstype', 2, 5, true)`), "CACHE_TTL has removed it"},
		"deleted everywhere": {func(w *world) {
			w.sim.Delete("Sagstype", 2)
			w.exec(`UPDATE poller_ledger SET hash = NULL; DELETE FROM parliamentary_data;
INSERT INTO parliamentary_deleted (entity_type, entity_id, seq) VALUES ('Sagstype', 2, 5)`)
		}, "is deleted everywhere"},
		"not yet read": {func(w *world) {
			w.exec(`DELETE FROM poller_ledger; DELETE FROM parliamentary_data; UPDATE poller_watermarks SET watermark = '2020-01-01'`)
		}, "stamped after the entity's watermark, and the poller's next pass reads it"},
		"nobody knows it": {func(w *world) {
			w.sim.Delete("Sagstype", 2)
			w.exec(`DELETE FROM poller_ledger; DELETE FROM parliamentary_data`)
		}, "nobody knows the row"},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("Sagstype", 1, 2, 1)
			w.copied("Sagstype")
			tt.do(w)
			x, err := w.verifier().Explain(t.Context(), "Sagstype", 2)
			if err != nil || !strings.Contains(x.Verdict, tt.want) {
				t.Errorf("Explain: %v, verdict %q, want %q", err, x.Verdict, tt.want)
			}
			var text strings.Builder
			if err := x.WriteText(&text); err != nil || !strings.HasPrefix(text.String(), "Sagstype/2: "+x.Verdict+"\n") {
				t.Errorf("WriteText: %v\n%s", err, text.String())
			}
			if strings.Contains(text.String(), "seq 0 ") {
				t.Errorf("a row without a seq is shown with one:\n%s", text.String())
			}
		})
	}
}

func TestExplainWithoutASource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Sagstype", 1, 2, 1)
	w.copied("Sagstype")
	if err := w.sim.SetMissing("Sagstype", true); err != nil {
		t.Fatal(err)
	}
	x, err := w.verifier().Explain(t.Context(), "Sagstype", 2)
	if err != nil || !strings.Contains(x.SourceError, oda.ErrNotFound.Error()) || x.Ledger == nil || x.Cache == nil {
		t.Errorf("Explain = %+v, %v, want the source's 404 beside ledger and cache", x, err)
	}
	if !strings.HasPrefix(x.Verdict, "the source did not answer") {
		t.Errorf("verdict %q", x.Verdict)
	}
}

func TestReportCountsOnlyComparedRows(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	r := verify.Report{Sentence: "as of then, all is well", Entities: []verify.Entity{{
		Name: "Sag", Source: 3, Missing: 2, AtLeast: true,
		Differences: []verify.Difference{{ID: 4, Ledger: verify.Different, Cache: verify.Missing}},
	}}}
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"as of then, all is well\n", "not every entity has had a scan that left nothing outstanding", " 2+ ", "Sag/4: different in the ledger, missing in the cache"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, text.String())
		}
	}
}
