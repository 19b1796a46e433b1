package schema_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"odastream/internal/test/pgtest"
	"odastream/odasim"
	"odastream/schema"
)

// connect returns a connection to a migrated database of the test's own.
func connect(tb testing.TB) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), pgtest.Migrated(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	return conn
}

// put stores a row as the sink does.
func put(tb testing.TB, conn *pgx.Conn, entity string, id int64, data string) {
	tb.Helper()
	copyRows(tb, conn, [][]any{{entity, id, data, int64(1)}})
}

func copyRows(tb testing.TB, conn *pgx.Conn, rows [][]any) {
	tb.Helper()
	_, err := conn.CopyFrom(tb.Context(), pgx.Identifier{"parliamentary_data"},
		[]string{"entity_type", "entity_id", "data", "seq"}, pgx.CopyFromRows(rows))
	if err != nil {
		tb.Fatal(err)
	}
}

// fields are the members of rows of all entities that hold links.
type fields struct {
	ID           int64   `json:"id"`
	TypeID       int     `json:"typeid"`
	AfstemningID int64   `json:"afstemningid"`
	AktørID      int64   `json:"aktørid"`
	FraAktørID   int64   `json:"fraaktørid"`
	TilAktørID   int64   `json:"tilaktørid"`
	RolleID      int64   `json:"rolleid"`
	SagID        int64   `json:"sagid"`
	SagstrinID   int64   `json:"sagstrinid"`
	MødeID       int64   `json:"mødeid"`
	Gruppe       string  `json:"gruppenavnkort"`
	Startdato    string  `json:"startdato"`
	Dato         *string `json:"dato"`
}

func read(tb testing.TB, data []byte) (f fields) {
	tb.Helper()
	if err := json.Unmarshal(data, &f); err != nil {
		tb.Fatal(err)
	}
	return f
}

// simulated loads a simulated parliament and returns its rows, by entity and id.
func simulated(tb testing.TB, conn *pgx.Conn) map[string]map[int64]fields {
	tb.Helper()
	sim := odasim.New(odasim.Options{})
	sim.Generate(7, 0.5)
	all := map[string]map[int64]fields{}
	for _, e := range schema.Entities() {
		byID, rows := map[int64]fields{}, [][]any(nil)
		for _, data := range sim.Rows(e.Name) {
			f := read(tb, data)
			byID[f.ID] = f
			rows = append(rows, []any{e.Name, f.ID, string(data), int64(1)})
		}
		copyRows(tb, conn, rows)
		all[e.Name] = byID
	}
	return all
}

func TestVotesByPartyOfASimulatedParliament(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	all := simulated(t, conn)
	// Each member has one party for ever, from the start of the membership.
	memberships := map[int64]fields{}
	for _, l := range all["AktørAktør"] {
		if all["Aktør"][l.TilAktørID].TypeID == 4 {
			memberships[l.FraAktørID] = l
		}
	}
	partyOf := func(s fields) string {
		day := (*all["Møde"][all["Afstemning"][s.AfstemningID].MødeID].Dato)[:10]
		m := memberships[s.AktørID]
		if m.ID == 0 || day < m.Startdato[:10] {
			return "<nil>"
		}
		return all["Aktør"][m.TilAktørID].Gruppe
	}
	type group struct {
		vote  int64
		party string
	}
	want := map[group]*[4]int{}
	for _, s := range all["Stemme"] {
		g := group{s.AfstemningID, partyOf(s)}
		if want[g] == nil {
			want[g] = &[4]int{}
		}
		want[g][s.TypeID-1]++
	}
	var lines []string
	for g, n := range want {
		lines = append(lines, fmt.Sprintf("%d %s %d %d %d %d", g.vote, g.party, n[0], n[1], n[2], n[3]))
	}
	slices.Sort(lines)
	got := strings.Split(pgtest.Lines(t, conn, `SELECT afstemningid, parti, "for", imod, "fravær", hverken FROM parliament.afstemning_resultat`), "\n")
	slices.Sort(got)
	if diff := cmp.Diff(lines, got); diff != "" {
		t.Errorf("votes by party (-want +got):\n%s", diff)
	}
	if len(lines) < 100 || len(memberships) != 179 {
		t.Errorf("%d groups of %d members, which proves little", len(lines), len(memberships))
	}
}

func TestVotesNameTheirCaseAndVoter(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	all := simulated(t, conn)
	if got, want := pgtest.Lines(t, conn, `SELECT count(*) FROM parliament.stemmer`), fmt.Sprint(len(all["Stemme"])); got != want {
		t.Errorf("votes = %s, want %s", got, want)
	}
	for _, a := range all["Afstemning"] {
		step := all["Sagstrin"][a.SagstrinID]
		want := fmt.Sprintf("%d %d %s", step.SagID, step.ID, *all["Møde"][a.MødeID].Dato)
		got := pgtest.Lines(t, conn, `SELECT DISTINCT COALESCE(sagid, 0), COALESCE(sagstrinid, 0), to_char(dato, 'YYYY-MM-DD"T"HH24:MI:SS')
FROM parliament.stemmer WHERE afstemningid = $1 AND navn IS NOT NULL AND stemme IS NOT NULL`, a.ID)
		if got != want {
			t.Errorf("case, step and day of Afstemning %d = %q, want %q", a.ID, got, want)
		}
	}
}

func TestCourseOfEachCaseOfASimulatedParliament(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	all := simulated(t, conn)
	var want []string
	own, taking := map[int64]bool{}, map[int64]bool{}
	for _, l := range all["SagAktør"] {
		own[l.SagID] = true
		want = append(want, fmt.Sprint(l.SagID, 0, l.AktørID))
	}
	for _, l := range all["SagstrinAktør"] {
		taking[l.SagstrinID] = true
		want = append(want, fmt.Sprint(all["Sagstrin"][l.SagstrinID].SagID, l.SagstrinID, l.AktørID))
	}
	for id, step := range all["Sagstrin"] {
		if !taking[id] {
			want = append(want, fmt.Sprint(step.SagID, id, 0))
		}
	}
	for id := range all["Sag"] {
		if !own[id] {
			want = append(want, fmt.Sprint(id, 0, 0))
		}
	}
	slices.Sort(want)
	got := strings.Split(pgtest.Lines(t, conn, `SELECT sagid, COALESCE(sagstrinid, 0), COALESCE("aktørid", 0) FROM parliament.sag_forloeb`), "\n")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cases with steps and actors (-want +got):\n%s", diff)
	}
	if got := pgtest.Lines(t, conn, `SELECT count(*) FROM parliament.sag_forloeb WHERE titel IS NULL OR status IS NULL OR periode IS NULL
OR (sagstrinid IS NULL) <> (sagstrin IS NULL) OR ("aktørid" IS NULL) <> (navn IS NULL) OR (navn IS NULL) <> (rolle IS NULL)`); got != "0" {
		t.Errorf("rows without the names of what they are about: %s, want 0", got)
	}
	if len(taking) == 0 || len(own) == 0 {
		t.Error("no actors, which proves nothing")
	}
}

// The party is that on the day of the meeting, whatever other periods the source has,
// and whichever way the link points.
func TestPartyOnTheDayOfTheVote(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	const group = `{"typeid":4,"gruppenavnkort":%q,"navn":"Gruppen","startdato":%s,"slutdato":%s}`
	put(t, conn, "Aktør", 1, `{"typeid":5,"navn":"Ida"}`)
	for id, g := range map[int64]string{
		10: fmt.Sprintf(group, "A", `"2014-10-07T00:00:00"`, `"2015-06-18T00:00:00"`),
		11: fmt.Sprintf(group, "A", `"2015-06-18T00:00:00"`, `"2016-10-04T00:00:00"`),
		12: fmt.Sprintf(group, "B", `"2015-06-18T00:00:00"`, `null`),
		13: `{"typeid":3,"gruppenavnkort":"FIU","navn":"Finansudvalget"}`,
		14: fmt.Sprintf(group, "", `"2030-02-30T00:00:00"`, `17`),
	} {
		put(t, conn, "Aktør", id, g)
	}
	const link = `{"fraaktørid":%d,"tilaktørid":%d,"rolleid":15,"startdato":%s,"slutdato":%s}`
	for id, l := range map[int64]string{
		20: fmt.Sprintf(link, 1, 10, `"2014-10-07T00:00:00"`, `null`), // ended only by the group
		21: fmt.Sprintf(link, 11, 1, `"2015-06-18T00:00:00"`, `"2015-12-01T00:00:00"`),
		22: fmt.Sprintf(link, 1, 12, `"2015-12-01T00:00:00"`, `"2019-01-01T00:00:00"`),
		23: fmt.Sprintf(link, 1, 13, `null`, `null`), // no party
		24: fmt.Sprintf(link, 1, 14, `"2020-01-01T00:00:00"`, `"soon"`),
		25: fmt.Sprintf(link, 1, 99, `"2014-01-01T00:00:00"`, `null`), // a missing group
		26: `{"fraaktørid":"1","tilaktørid":null}`,
	} {
		put(t, conn, "AktørAktør", id, l)
	}
	put(t, conn, "Afstemning", 30, `{"mødeid":40,"typeid":1,"vedtaget":true}`)
	put(t, conn, "Stemme", 50, `{"afstemningid":30,"aktørid":1,"typeid":1}`)
	put(t, conn, "Møde", 40, `{}`)
	for claim, tt := range map[string]struct{ day, want string }{
		"before any":                          {`"2014-10-06T23:59:59"`, "null"},
		"the first day":                       {`"2014-10-07T10:00:00"`, "A"},
		"while it lasts":                      {`"2015-01-01T10:00:00"`, "A"},
		"written the other way round":         {`"2015-09-01T10:00:00"`, "A"},
		"where one ends and another begins":   {`"2015-12-01T10:00:00"`, "B"},
		"after a change":                      {`"2018-12-31T10:00:00"`, "B"},
		"the last day, whatever the hour":     {`"2019-01-01T18:00:00"`, "B"},
		"between two":                         {`"2019-06-01T10:00:00"`, "null"},
		"bounds that are no dates bound none": {`"2026-01-01T10:00:00"`, "Gruppen"},
		"a day that is none":                  {`"i går"`, "null"},
		"no day":                              {`null`, "null"},
	} {
		if _, err := conn.Exec(t.Context(), `UPDATE parliamentary_data SET data = jsonb_build_object('dato', $1::jsonb) WHERE entity_type = 'Møde'`, tt.day); err != nil {
			t.Fatal(err)
		}
		if got := pgtest.Lines(t, conn, `SELECT COALESCE(parti, 'null') FROM parliament.stemmer`); got != tt.want {
			t.Errorf("%s (%s): party = %s, want %s", claim, tt.day, got, tt.want)
		}
	}
}

// References to missing rows, and malformed values, give nulls and fail no query.
func TestJoinsOfOddRows(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	odd := []string{`null`, `true`, `"1"`, `1.5`, `-1`, `2147483648`, `1e300`, `""`, `[1]`, `{"a":1}`, `"2023-02-30T00:00:00"`}
	var rows [][]any
	for _, e := range schema.Entities() {
		for i, value := range odd {
			members := []string(nil)
			for _, f := range e.Fields {
				members = append(members, fmt.Sprintf("%q:%s", f.Name, value))
			}
			rows = append(rows, []any{e.Name, int64(i), "{" + strings.Join(members, ",") + "}", int64(1)})
		}
	}
	rows = append(rows, []any{"Stemme", int64(100), `{"afstemningid":3}`, int64(1)}, []any{"Sagstrin", int64(100), `{"sagid":3.0}`, int64(1)},
		[]any{"Stemme", int64(101), `{"afstemningid":99}`, int64(1)})
	copyRows(t, conn, rows)
	for view, want := range map[string]string{"partimedlemskab": "0", "stemmer": "1", "afstemning_resultat": "1", "sag_forloeb": "12"} {
		if got := pgtest.Lines(t, conn, `SELECT count(x::text) FROM parliament.`+view+` x`); got != want {
			t.Errorf("rows of parliament.%s = %s, want %s", view, got, want)
		}
	}
	if got, want := pgtest.Lines(t, conn, `SELECT dato IS NULL, sagid IS NULL, navn IS NULL, parti IS NULL, stemme IS NULL FROM parliament.stemmer`), "true true true true true"; got != want {
		t.Errorf("what is not there is null: %s, want %s", got, want)
	}
}

// Each view has a comment and reads only its own entities.
func TestJoinsAreDescribedAndReadTheirPartitionsAlone(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, view := range []string{"partimedlemskab", "stemmer", "afstemning_resultat", "sag_forloeb"} {
		if got := pgtest.Lines(t, conn, `SELECT length(obj_description(('parliament.'||$1::text)::regclass)) > 20`, view); got != "true" {
			t.Errorf("parliament.%s has a comment: %s, want true", view, got)
		}
		plan := pgtest.Lines(t, conn, `EXPLAIN SELECT * FROM parliament.`+view)
		for _, other := range []string{"fil", "dokument", "emneord", "omtryk", "kollone"} {
			if strings.Contains(plan, "parliamentary_data_"+other) {
				t.Errorf("parliament.%s reads %s:\n%s", view, other, plan)
			}
		}
	}
}

// One division among very many is found by the index on the rows' content.
func TestOneDivisionIsFoundByTheIndex(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	if _, err := conn.Exec(t.Context(), `CREATE INDEX ON parliamentary_data USING gin (data jsonb_path_ops);
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Afstemning', n, '{}', 1 FROM generate_series(1, 1000) n;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Stemme', n, jsonb_build_object('afstemningid', 1 + n / 179, 'typeid', 1), 1 FROM generate_series(0, 178999) n;
ANALYZE parliamentary_data`); err != nil {
		t.Fatal(err)
	}
	plan := pgtest.Lines(t, conn, `EXPLAIN SELECT parti, "for" FROM parliament.afstemning_resultat WHERE afstemningid = 500`)
	if strings.Contains(plan, "Seq Scan on parliamentary_data_stemme_") || !strings.Contains(plan, "@>") {
		t.Errorf("plan of one division:\n%s", plan)
	}
	if got := pgtest.Lines(t, conn, `SELECT "for" FROM parliament.afstemning_resultat WHERE afstemningid = 500`); got != "179" {
		t.Errorf("votes of one division = %s, want 179", got)
	}
}

// realFile returns the file of an entity of a real capture.
func realFile(capture string, e schema.Entity) string {
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	return filepath.Join(root, "snapshots", capture, e.Suffix+".ndjson.gz")
}

// realRows returns the rows of one real capture as the cache would hold them.
func realRows(t *testing.T, capture string, e schema.Entity) (rows [][]any) {
	t.Helper()
	file, err := os.Open(realFile(capture, e))
	if err != nil {
		t.Skipf("REAL ROWS MISSING: %v; set ODASTREAM_REAL_ROWS to the folder that holds snapshots/", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rows = append(rows, []any{e.Name, read(t, lines.Bytes()).ID, lines.Text(), int64(1)})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// The votes of 2014, where neither meetings nor memberships were captured.
func TestVotesOfTheRealParliament(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, name := range []string{"Afstemning", "Aktør", "Sag", "Stemme"} {
		e, err := schema.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		copyRows(t, conn, realRows(t, "2014-10", e))
	}
	if _, err := conn.Exec(t.Context(), `ANALYZE parliamentary_data;
CREATE TEMP TABLE votes AS SELECT * FROM parliament.stemmer;
CREATE TEMP TABLE results AS SELECT * FROM parliament.afstemning_resultat`); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		`SELECT count(*), count(DISTINCT afstemningid), count(navn), count(parti), count(dato) FROM votes`:         "267174 1662 267174 0 0",
		`SELECT count(*), sum("for")::int, sum(imod)::int, sum("fravær")::int, sum(hverken)::int FROM results`:     "1662 96033 61224 107581 2336",
		`SELECT "for", imod, "fravær", hverken, vedtaget FROM results WHERE afstemningid = 2`:                      "90 9 69 0 true",
		`SELECT navn, stemme FROM votes WHERE stemmeid = 1`:                                                        "Eigil Andersen For",
		`SELECT count(*), count(sagstrinid), count("aktørid"), count(DISTINCT nummer) FROM parliament.sag_forloeb`: "1078 0 0 451",
	} {
		if got := pgtest.Lines(t, conn, query); got != want {
			t.Errorf("%s\n= %s, want %s", query, got, want)
		}
	}
}
