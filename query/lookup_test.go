package query_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// sentQueries records the statements that are sent.
type sentQueries struct {
	mu   sync.Mutex
	sent []pgx.TraceQueryStartData
}

func (s *sentQueries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, data)
	return ctx
}

func (*sentQueries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns the statements since the last call that read rows.
func (s *sentQueries) take() (reads []pgx.TraceQueryStartData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.sent {
		if strings.HasPrefix(q.SQL, "SELECT") && strings.Contains(q.SQL, "parliamentary_data") {
			reads = append(reads, q)
		}
	}
	s.sent = nil
	return reads
}

// manyRows fills entities that link to each other. Stemme, Sagstrin and Dokument are big.
const manyRows = `INSERT INTO parliamentary_data (entity_type, entity_id, data, opdateringsdato, seq)
SELECT e, n, data, timestamp '2010-01-01' + n * interval '1 minute', n FROM (
    SELECT 'Stemme' AS e, n, jsonb_build_object('id', n, 'typeid', n % 4 + 1, 'afstemningid', n / 179, 'aktørid', n % 600) AS data FROM generate_series(1, 100000) n
    UNION ALL
    SELECT 'Sagstrin', n, jsonb_build_object('id', n, 'titel', 'Fremsættelse', 'sagid', n / 5,
        'dato', to_char(timestamp '2010-01-01' + n * interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS')) FROM generate_series(1, 40000) n
    UNION ALL
    SELECT 'Dokument', n, jsonb_build_object('id', n, 'titel', 'Svar ' || n, 'spørgsmålsid', CASE n % 10 WHEN 0 THEN n - 5 END) FROM generate_series(1, 20000) n
    UNION ALL
    SELECT 'Afstemning', n, jsonb_build_object('id', n, 'nummer', n, 'sagstrinid', n) FROM generate_series(1, 560) n
    UNION ALL
    SELECT 'Aktør', n, jsonb_build_object('id', n, 'navn', 'Navn ' || n) FROM generate_series(1, 600) n
    UNION ALL
    SELECT 'Sag', n, jsonb_build_object('id', n, 'titel', 'Forslag ' || n) FROM generate_series(1, 8000) n
) rows`

// Lookups by links, stamps and dates read no big table whole, nor in the order of ids: the
// indexes that the sink makes are on the expressions that requests become.
func TestQueriesUseTheLookupIndexes(t *testing.T) {
	t.Parallel()
	p := newPast(t)
	if _, err := p.pool.Exec(t.Context(), manyRows); err != nil {
		t.Fatal(err)
	}
	if err := p.store.MaintainLookups(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.pool.Exec(t.Context(), "ANALYZE parliamentary_data"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, rawQuery, index string }{
		{"Stemme", "$filter=afstemningid eq 5", "stemme_afstemningid"},
		{"Stemme", "$filter=afstemningid eq 5 or afstemningid eq 7&$inlinecount=allpages", "stemme_afstemningid"},
		{"Stemme", "$filter=afstemningid eq 5 and typeid eq 1&$orderby=aktørid", "stemme_afstemningid"},
		{"Stemme", "$filter=aktørid eq 3&$orderby=afstemningid desc", "stemme_aktoerid"},
		{"Stemme", "$filter=opdateringsdato gt datetime'2010-03-11T09:00:00'", "stemme_opdateringsdato"},
		{"Stemme", "$orderby=opdateringsdato desc", "stemme_opdateringsdato"},
		{"Stemme", "$orderby=opdateringsdato", "stemme_opdateringsdato"},
		{"Afstemning(1)/Stemme", "", "stemme_afstemningid"},
		{"Aktør(3)/Stemme", "$filter=typeid eq 4", "stemme_aktoerid"},
		{"Afstemning", "$filter=id le 3&$expand=Stemme/Aktør,Sagstrin/Sag", "stemme_afstemningid"},
		{"Sag(7)/Sagstrin", "$expand=Sag", "sagstrin_sagid"},
		{"Sag", "$filter=id eq 7&$expand=Sagstrin/Afstemning", "sagstrin_sagid"},
		{"Sag", "$filter=id lt 9 and Sagstrin/any(s:s/titel eq 'Fremsættelse')", "sagstrin_sagid"},
		{"Sagstrin", "$filter=dato ge datetime'2014-01-01' and dato lt datetime'2014-01-02'", "sagstrin_dato"},
		{"Sagstrin", "$filter=sagid eq 5&$orderby=dato desc", "sagstrin_sagid"},
		{"Dokument(5)/SvarDokumenter", "", "dokument_spoergsmaalsid"},
		{"Dokument", "$filter=id lt 20&$expand=SvarDokumenter", "dokument_spoergsmaalsid"},
		{"Dokument", "$filter=id lt 20 and SvarDokumenter/any()", "dokument_spoergsmaalsid"},
		{"Stemme", "asof=2026-11-01", "pkey"},
		{"Stemme", "$filter=id eq 5&asof=2026-11-01", "pkey"},
		{"Afstemning(1)/Stemme", "asof=2026-11-01", "stemme_afstemningid"},
		{"Afstemning", "$filter=id le 3&$expand=Stemme/Aktør&asof=2026-11-01", "stemme_afstemningid"},
	} {
		plans := p.plans(t, c.path, c.rawQuery)
		if bigScan.MatchString(plans) || !strings.Contains(plans, c.index) {
			t.Errorf("%s?%s reads a big table whole, or not by the index %s:\n%s", c.path, c.rawQuery, c.index, plans)
		}
	}
}

var bigScan = regexp.MustCompile(`Seq Scan on parliamentary_data_(stemme|sagstrin|dokument)`)

// plans returns the statements of a request, each with its plan.
func (p past) plans(t *testing.T, path, rawQuery string) string {
	t.Helper()
	cfg, err := session.Config(p.pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	traced := &sentQueries{}
	cfg.ConnConfig.Tracer = traced
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	request, err := odata.NewModel(schema.Entities()).Parse(path, strings.ReplaceAll(rawQuery, " ", "%20"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := query.NewReader(pool).Rows(t.Context(), request, 100)
	if err != nil || len(page.Rows) == 0 {
		t.Fatalf("%s?%s gives %d rows, %v", path, rawQuery, len(page.Rows), err)
	}
	var plans []string
	for _, q := range traced.take() {
		rows, err := p.pool.Query(t.Context(), "EXPLAIN (COSTS OFF) "+q.SQL, q.Args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, q.SQL, strings.Join(lines, "\n"))
	}
	return strings.Join(plans, "\n")
}
