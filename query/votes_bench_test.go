package query_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/internal/test/pgtest"
	"odastream/query"
)

const (
	benchVotes = 500 // with 179 members each
	// handWritten is the members of a vote as somebody would ask for them who knows the views.
	handWritten = `WITH v AS (
    SELECT s."aktørid", p.navn, s.typeid::bigint, m.dato::date AS dag
    FROM parliament.afstemning a
    JOIN parliament.moede m ON m.id = a."mødeid"
    JOIN parliament.stemme s ON s.afstemningid = a.id
    LEFT JOIN parliament.aktoer p ON p.id = s."aktørid"
    WHERE a.id = $1
)
SELECT v."aktørid"::bigint, v.navn, v.typeid, g.parti FROM v LEFT JOIN (
    SELECT DISTINCT ON (i."aktørid") i."aktørid", i.parti FROM v
    JOIN parliament.partimedlemskab i ON i."aktørid" = v."aktørid"
        AND v.dag BETWEEN COALESCE(i.fra::date, '-infinity') AND COALESCE(i.til::date, 'infinity')
    ORDER BY i."aktørid", i.fra DESC NULLS LAST, i.gruppeid DESC
) g ON g."aktørid" = v."aktørid"`
)

// BenchmarkVote measures a vote with its 179 members beside one statement that reads its
// members and their parties through pgx.
func BenchmarkVote(b *testing.B) {
	cfg, err := session.Config(pgtest.Migrated(b))
	if err != nil {
		b.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	prepareBench(b, pool)
	reader := query.NewReader(pool)
	var ours, theirs time.Duration
	for n := int64(0); b.Loop(); n++ {
		start := time.Now()
		if v, err := reader.Vote(b.Context(), n%benchVotes); err != nil || len(v.Members) != 179 {
			b.Fatalf("%d members, %v", len(v.Members), err)
		}
		ours += time.Since(start)
		start = time.Now()
		type member struct {
			Actor *int64
			Name  *string
			Vote  *int64
			Party *string
		}
		rows, err := pool.Query(b.Context(), handWritten, n%benchVotes)
		if err != nil {
			b.Fatal(err)
		}
		if members, err := pgx.CollectRows(rows, pgx.RowToStructByPos[member]); err != nil || len(members) != 179 {
			b.Fatalf("%d members, %v", len(members), err)
		}
		theirs += time.Since(start)
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "us/vote")
	b.ReportMetric(float64(theirs.Microseconds())/float64(b.N), "us/hand-written")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-hand-written")
}

// prepareBench writes benchVotes votes of 179 members each, who have ten memberships each.
func prepareBench(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	for _, sql := range []string{
		`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Aktør', n, jsonb_build_object('typeid', CASE WHEN n <= 12 THEN 4 ELSE 5 END, 'navn', 'Navn ' || n, 'gruppenavnkort', CASE WHEN n <= 12 THEN 'G' || n END), 1 FROM generate_series(1, 1000) n`,
		`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'AktørAktør', n, jsonb_build_object('fraaktørid', 13 + n % 900, 'tilaktørid', 1 + n % 12, 'startdato', '2014-10-07T00:00:00'), 1 FROM generate_series(1, 9000) n`,
		`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Møde', 1, '{"dato":"2020-01-01T10:00:00"}', 1)`,
		`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Afstemning', n, '{"mødeid":1,"typeid":1,"vedtaget":true}', 1 FROM generate_series(0, 499) n`,
		`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Stemme', n, jsonb_build_object('afstemningid', n / 179, 'aktørid', 13 + n % 179, 'typeid', 1 + n % 3), 1 FROM generate_series(0, 500 * 179 - 1) n`,
		`CREATE INDEX ON parliamentary_data_stemme ((parliament.as_integer(data -> 'afstemningid')))`,
		`CREATE INDEX ON parliamentary_data_aktoeraktoer ((parliament.as_integer(data -> 'fraaktørid')))`,
		`CREATE INDEX ON parliamentary_data_aktoeraktoer ((parliament.as_integer(data -> 'tilaktørid')))`,
		`ANALYZE parliamentary_data`,
	} {
		if _, err := pool.Exec(tb.Context(), sql); err != nil {
			tb.Fatal(err)
		}
	}
}
