package gateway_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/gateway"
)

const (
	benchClients = 32  // at once
	benchRound   = 640 // requests of a round
)

// benchRows are 50,000 cases of two steps, a vote at every hundredth step, with 179 members
// each who have ten memberships, and their meeting.
var benchRows = []string{
	`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Sag', n, jsonb_build_object('id', n, 'typeid', 1 + n % 7, 'statusid', 1 + n % 9,
    'titel', 'Forslag til lov om ' || md5(n::text), 'titelkort', md5(n::text), 'nummer', 'L ' || n, 'resume', repeat(md5(n::text) || ' ', 12),
    'opdateringsdato', '2020-01-01T10:00:00', 'periodeid', 1 + n % 40), 1 FROM generate_series(1, 50000) n`,
	`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Sagstrin', n, jsonb_build_object('id', n, 'titel', 'behandling', 'sagid', 1 + n / 2,
    'typeid', 7, 'statusid', 2, 'opdateringsdato', '2020-01-01T10:00:00'), 1 FROM generate_series(0, 99999) n`,
	`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Afstemning', n, jsonb_build_object('id', n, 'nummer', n, 'sagstrinid', n * 100,
    'mødeid', 1, 'typeid', 1, 'vedtaget', true), 1 FROM generate_series(0, 499) n`,
	`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Møde', 1, '{"id": 1, "dato":"2020-01-01T10:00:00"}', 1)`,
	`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Stemme', n, jsonb_build_object('id', n, 'afstemningid', n / 179, 'aktørid', 13 + n % 179, 'typeid', 1 + n % 3), 1
FROM generate_series(0, 500 * 179 - 1) n`,
	`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Aktør', n, jsonb_build_object('id', n, 'typeid', CASE WHEN n <= 12 THEN 4 ELSE 5 END,
    'navn', 'Navn ' || n, 'gruppenavnkort', CASE WHEN n <= 12 THEN 'G' || n END), 1 FROM generate_series(1, 1000) n`,
	`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'AktørAktør', n, jsonb_build_object('id', n, 'fraaktørid', 13 + n % 900, 'tilaktørid', 1 + n % 12,
    'startdato', '2014-10-07T00:00:00'), 1 FROM generate_series(1, 9000) n`,
}

// handWritten is how somebody who knows the tables would answer a request: one statement
// that gives the answer's text.
type handWritten struct {
	path string // at the gateway; %d is a number from 1 to 499
	sql  string // $1 is that number
}

// The votes of the hand-written vote are not counted by party: the statement gives what the
// gateway counts.
var handWrittenForms = map[string]handWritten{
	"page of 100": {
		`/api/Sag?$filter=id%%20gt%%20%d&$orderby=id&$top=100`,
		`SELECT json_agg(r.data)::text FROM (SELECT data FROM parliamentary_data WHERE entity_type = 'Sag' AND entity_id > $1::bigint ORDER BY entity_id LIMIT 100) r`,
	},
	"row by id": {
		`/api/Sag(%d)`,
		`SELECT data::text FROM parliamentary_data WHERE entity_type = 'Sag' AND entity_id = $1::bigint`,
	},
	"vote of 179": {
		`/v1/votes/%d`,
		`WITH v AS (
    SELECT s."aktørid", p.navn, s.typeid, m.dato::date AS dag FROM parliament.afstemning a
    JOIN parliament.moede m ON m.id = a."mødeid" JOIN parliament.stemme s ON s.afstemningid = a.id
    LEFT JOIN parliament.aktoer p ON p.id = s."aktørid" WHERE a.id = $1
)
SELECT json_agg(json_build_object('actor', v."aktørid", 'name', v.navn, 'vote', v.typeid, 'party', g.parti) ORDER BY v.navn)::text FROM v LEFT JOIN (
    SELECT DISTINCT ON (i."aktørid") i."aktørid", i.parti FROM v JOIN parliament.partimedlemskab i ON i."aktørid" = v."aktørid"
        AND v.dag BETWEEN COALESCE(i.fra::date, '-infinity') AND COALESCE(i.til::date, 'infinity')
    ORDER BY i."aktørid", i.fra DESC NULLS LAST, i.gruppeid DESC
) g ON g."aktørid" = v."aktørid"`,
	},
	"case of two levels": {
		`/api/Sag(%d)?$expand=Sagstrin/Afstemning`,
		`SELECT (s.data || jsonb_build_object('Sagstrin', (SELECT jsonb_agg(t.data || jsonb_build_object('Afstemning',
    (SELECT jsonb_agg(a.data) FROM parliamentary_data a WHERE a.entity_type = 'Afstemning' AND parliament.as_integer(a.data -> 'sagstrinid') = t.entity_id)))
    FROM parliamentary_data t WHERE t.entity_type = 'Sagstrin' AND parliament.as_integer(t.data -> 'sagid') = s.entity_id)))::text
FROM parliamentary_data s WHERE s.entity_type = 'Sag' AND s.entity_id = $1::bigint`,
	},
	"count": {
		`/api/Sag/$count?$filter=typeid%%20eq%%203%%20and%%20id%%20gt%%20%d`,
		`SELECT count(*)::text FROM parliamentary_data WHERE entity_type = 'Sag' AND parliament.as_integer(data -> 'typeid') = 3 AND entity_id > $1::bigint`,
	},
}

// BenchmarkAnswers measures requests for answers at 32 clients beside a server that answers
// them with one hand-written statement through pgx, on as many connections. Rounds of the
// two alternate; the noise is that of the hand-written one's odd rounds against its even
// ones.
func BenchmarkAnswers(b *testing.B) {
	r := benchRig(b)
	for name, form := range handWrittenForms {
		b.Run(name, func(b *testing.B) { benchForm(b, r, form) })
	}
}

// benchRig is a gateway over benchRows.
func benchRig(b *testing.B) *rig {
	b.Helper()
	r := newRig(b, func(c *gateway.Config) { c.Simple, c.Medium, c.Complex = 100, 100, 100 })
	for _, sql := range append([]string{`TRUNCATE parliamentary_data`}, benchRows...) {
		r.exec(sql)
	}
	if err := cache.New(r.asOwner(), "bench", cache.Config{GIN: "off"}, slog.New(slog.DiscardHandler)).MaintainLookups(b.Context()); err != nil {
		b.Fatal(err)
	}
	r.exec(`ANALYZE parliamentary_data`)
	return r
}

func benchForm(b *testing.B, r *rig, form handWritten) {
	server := httptest.NewServer(form.server(b, r.pool))
	defer server.Close()
	beside(b, "hand-written", func(n int) string { return r.url + fmt.Sprintf(form.path, n) }, func(n int) string { return fmt.Sprintf("%s/%d", server.URL, n) })
}

// beside measures our answers beside those of another server.
func beside(b *testing.B, other string, ours, theirs func(n int) string) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchClients, DisableCompression: true}}
	defer client.CloseIdleConnections()
	for _, address := range []func(int) string{ours, theirs} { // warm up
		round(b, client, address)
	}
	var took [3]time.Duration // ours, theirs in even rounds, theirs in odd rounds
	var each [3][]time.Duration
	for n := 0; b.Loop(); n++ {
		for _, who := range []int{0, 1 + n%2} {
			address := ours
			if who > 0 {
				address = theirs
			}
			start := time.Now()
			each[who] = append(each[who], round(b, client, address)...)
			took[who] += time.Since(start)
		}
	}
	rate := float64(benchRound) * float64(b.N)
	both := took[1] + took[2]
	b.ReportMetric(rate/took[0].Seconds(), "requests/s")
	b.ReportMetric(rate/both.Seconds(), other+"/s")
	b.ReportMetric(both.Seconds()/took[0].Seconds(), "of-"+other)
	b.ReportMetric(p99(each[0]).Seconds()*1000, "p99-ms")
	b.ReportMetric(p99(slices.Concat(each[1], each[2])).Seconds()*1000, other+"-p99-ms")
	if len(each[2]) > 0 {
		perRound := func(who int) float64 { return took[who].Seconds() / float64(len(each[who])) }
		b.ReportMetric(perRound(1)/perRound(2), "noise")
	}
}

// server answers /N with the form's statement.
func (f handWritten) server(b *testing.B, as *pgxpool.Pool) http.Handler {
	b.Helper()
	pool, err := pgxpool.NewWithConfig(b.Context(), as.Config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var n int64
		var text string
		_, err := fmt.Sscanf(req.URL.Path, "/%d", &n)
		if err == nil {
			err = pool.QueryRow(req.Context(), f.sql, pgx.QueryExecModeCacheStatement, n).Scan(&text)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	})
}

// round asks benchRound times from benchClients clients, and returns how long each took.
func round(b *testing.B, client *http.Client, address func(n int) string) []time.Duration {
	b.Helper()
	took := make([]time.Duration, benchRound)
	var all sync.WaitGroup
	for c := range benchClients {
		all.Go(func() {
			for i := c; i < benchRound; i += benchClients {
				start := time.Now()
				if err := fetch(b.Context(), client, address(1+i%499)); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return took
}

func fetch(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || len(body) == 0) {
		err = fmt.Errorf("GET %s = %d %.200s", address, res.StatusCode, body)
	}
	return err
}

func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}
