package survey_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/apply"
	"odastream/cache"
	"odastream/capture"
	"odastream/internal/survey"
	"odastream/internal/test/pgtest"
)

func TestReportJoinsTablesAndDaemons(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	exec(t, url, `
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Sag', i, '{}', i FROM generate_series(1, 7) i;
INSERT INTO poller_leases (entity_type, holder, expires_at) VALUES ('Sag', 'host:1', now() + interval '5m'), ('Aktør', 'gone', '-infinity');
INSERT INTO poller_watermarks (entity_type, watermark, loaded_at) VALUES ('Sag', now() - interval '10s', now() - interval '3h');
INSERT INTO sink_offsets (group_id, topic, partition, topic_id, next_offset) VALUES ('g', 'p-sag', 0, gen_random_uuid(), 7), ('g', 'p-ny', 0, gen_random_uuid(), 1);
INSERT INTO dead_letters (topic, partition, "offset", class, error, failed_at) VALUES ('p-sag', 0, 3, 'data', 'x', now()), ('p-sag', 0, 4, 'data', 'x', now());
UPDATE dead_letters SET state = 'retried' WHERE "offset" = 4`)
	poller := serve(t, capture.Status{Entities: []capture.EntityStatus{
		{Entity: "Sag", State: "following"}, {Entity: "Fil", State: "failed", Reason: "time-out"},
	}})
	sink := serve(t, apply.Status{Ready: true, Lag: 5, Topics: []apply.TopicStatus{
		{Topic: "p-sag", Lag: 5, Partitions: []apply.PartitionStatus{{Partition: 2, Reason: "a table is locked"}}},
	}})
	r, err := survey.Take(t.Context(), survey.Target{Pool: pool(t, url), Poller: poller, Sink: sink, TopicPrefix: "p-"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows == nil || *r.Rows != 7 || !r.Poller.OK || !r.Sink.OK || r.Sink.Lag != 5 {
		t.Errorf("report = %+v, want 7 rows, both daemons, lag 5", r)
	}
	var names []string
	for _, e := range r.Entities {
		names = append(names, e.Entity)
	}
	if got, want := strings.Join(names, " "), "Aktør Sag Fil ny"; got != want {
		t.Errorf("entities = %s, want %s: in load order, unknown entities last", got, want)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"7 rows, 1 dead letters open", "1 following, 1 failed", "5 records behind",
		"Sag: partition 2 is held up: a table is locked", "Fil: time-out", "3 h ago", "10 s ago",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, &text)
		}
	}
	if strings.Contains(text.String(), "gone") {
		t.Errorf("text names the holder of a lease that ran out:\n%s", &text)
	}
}

func TestAnUnreachableDaemonHidesNothing(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	r, err := survey.Take(t.Context(), survey.Target{
		Pool: pool(t, pgtest.Migrated(t)), Poller: "127.0.0.1:1", Sink: strings.TrimPrefix(stranger.URL, "http://"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Poller.OK || r.Sink.OK || !strings.Contains(r.Poller.Reason, "no answer") || !strings.Contains(r.Sink.Reason, "404") {
		t.Errorf("poller %+v, sink %+v, want both unanswered with the reason", r.Poller, r.Sink)
	}
}

func TestADatabaseWithoutTablesIsNamed(t *testing.T) {
	t.Parallel()
	if _, err := survey.Take(t.Context(), survey.Target{Pool: pool(t, pgtest.Empty(t))}); !cache.IsMissingTable(err) {
		t.Errorf("Take of an empty database = %v, want that a table is missing", err)
	}
}

func TestReportIsJSON(t *testing.T) {
	t.Parallel()
	n := int64(3)
	text, err := json.Marshal(survey.Report{At: time.Unix(0, 0).UTC(), Rows: &n, Entities: []survey.Entity{{Entity: "Sag"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"at":"1970-01-01T00:00:00Z","rows":3,"poller":{"ok":false},"sink":{"ok":false},"entities":[{"entity":"Sag","rows":null,"lag":0,"dead_letters":0}]}`
	if string(text) != want {
		t.Errorf("report as JSON:\n%s\nwant\n%s", text, want)
	}
}

func serve(t *testing.T, status any) (addr string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(status)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func exec(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
