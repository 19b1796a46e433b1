package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"odastream/cache"
	"odastream/internal/test/pgtest"
	"odastream/odasim"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// past is a copy with a history that a sink wrote.
type past struct {
	pool  *pgxpool.Pool
	store *cache.Store
}

func newPast(t *testing.T) past {
	t.Helper()
	cfg, err := cache.PoolConfig(pgtest.Migrated(t))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return past{pool, cache.New(pool, "test", cache.Config{GIN: "off"}, slog.New(slog.DiscardHandler))}
}

func (p past) mustApply(t failer, records ...cache.Record) {
	t.Helper()
	if _, err := p.store.Apply(t.Context(), cache.Batch{Records: records}); err != nil {
		t.Fatalf("apply %d records: %v", len(records), err)
	}
}

func (p past) empty(t failer) {
	t.Helper()
	if _, err := p.pool.Exec(t.Context(), `DELETE FROM parliamentary_data; DELETE FROM parliamentary_deleted; DELETE FROM parliamentary_history`); err != nil {
		t.Fatalf("empty the copy: %v", err)
	}
}

// at returns a parliament whose simulation has the rows that parliament.as_of gives.
func (p past) at(t failer, at time.Time, keys map[string]int64) *parliament {
	t.Helper()
	sim := odasim.New(odasim.Options{PageCap: math.MaxInt32, Compare: odasim.CompareText})
	for name, last := range keys {
		entity, err := schema.Lookup(name)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for id := int64(1); id <= last; id++ {
			var row []byte
			if err := p.pool.QueryRow(t.Context(), `SELECT parliament.as_of($1, $2, $3)::text`, name, id, at).Scan(&row); err != nil {
				t.Fatalf("as_of: %v", err)
			}
			if row == nil {
				continue
			}
			inOrder, err := odata.AppendElement(nil, odata.Element{Data: row}, entity, odata.Shape{}, 1<<20)
			if err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			if err := sim.Put(name, inOrder); err != nil {
				t.Fatalf("put %s: %v", row, err)
			}
		}
	}
	return &parliament{p.pool, sim, query.NewReader(p.pool), odata.NewModel(schema.Entities())}
}

// change makes a record; data "" makes a delete.
func change(entity string, id, seq int64, action schema.Action, data string) cache.Record {
	r := cache.Record{
		TopicPartition: schema.TopicPartition{Topic: "parliament-" + schema.Suffix(entity)}, Offset: seq,
		Change: schema.Change{Entity: entity, ID: id, Seq: seq, Action: action},
	}
	if data != "" {
		var row struct{ Opdateringsdato string }
		if err := json.Unmarshal([]byte(data), &row); err != nil {
			panic(err)
		}
		r.Change.Data, r.Change.Opdateringsdato = []byte(data), row.Opdateringsdato
	}
	return r
}

// drawnRows has the entities of drawn changes, with their highest ids.
var drawnRows = map[string]int64{"Periode": 2, "Sag": 4, "Sagstrin": 4}

// drawChanges returns changes of linked rows by growing seq, with content that repeats.
func drawChanges(r *rapid.T) (records []cache.Record) {
	value := func(name string, values ...string) string {
		v := rapid.SampledFrom(append(values, "", "null")).Draw(r, name)
		if v == "" {
			return ""
		}
		return fmt.Sprintf(",%q:%s", name, v)
	}
	for seq := range int64(rapid.IntRange(1, 24).Draw(r, "records")) {
		entity := rapid.SampledFrom(slices.Sorted(maps.Keys(drawnRows))).Draw(r, "entity")
		id := rapid.Int64Range(1, drawnRows[entity]).Draw(r, "id")
		if rapid.IntRange(0, 4).Draw(r, "kind") == 0 {
			records = append(records, change(entity, id, seq+1, schema.Delete, ""))
			continue
		}
		data := fmt.Sprintf(`{"id":%d`, id)
		switch entity {
		case "Periode":
			data += value("kode", `"a"`, `"b"`)
		case "Sag":
			data += value("titel", `"a"`, `"b"`) + value("periodeid", "1", "2")
		default:
			data += value("titel", `"a"`, `"b"`) + value("sagid", "1", "2")
		}
		data += value("opdateringsdato", `"2014-10-31T12:00:00.5"`, `"2019-03-01T00:00:00"`) + "}"
		action := rapid.SampledFrom([]schema.Action{schema.Snapshot, schema.Create, schema.Update}).Draw(r, "action")
		records = append(records, change(entity, id, seq+1, action, data))
	}
	return records
}

// pastRequests are requests of drawn rows.
var pastRequests = []struct{ path, options string }{
	{"Sag", "$inlinecount=allpages"},
	{"Sagstrin", "$skip=1&$expand=Sag"},
	{"Sag", "$skip=1&$orderby=id desc"},
	{"Sag", "$filter=id eq 2 or id eq 3&$orderby=titel desc"},
	{"Sag", "$filter=Periode/kode eq 'a' or titel eq 'a'&$expand=Periode,Sagstrin&$orderby=Periode/kode"},
	{"Sag", "$filter=Sagstrin/any(s:s/titel eq 'a')"},
	{"Sag", "$filter=Sagstrin/all(s:s/titel eq 'a' and s/Sag/Periode/kode ne 'b')&$orderby=id desc"},
	{"Sagstrin", "$filter=opdateringsdato gt datetime'2015-01-01' or opdateringsdato eq null&$expand=Sag/Periode"},
	{"Periode", "$expand=Sag/Sagstrin"},
}

// Of any changes, applied in any batches: at any time each request is answered with the
// rows that parliament.as_of gives, and evaluation in memory of these.
func TestAnyPastIsAnsweredAsItWas(t *testing.T) {
	t.Parallel()
	p := newPast(t)
	rapid.Check(t, func(rt *rapid.T) {
		p.empty(rt)
		records := drawChanges(rt)
		for rest := records; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "batch")
			p.mustApply(rt, rapid.Permutation(rest[:n]).Draw(rt, "order")...)
			rest = rest[n:]
		}
		at := time.UnixMicro(rapid.Int64Range(0, int64(len(records))).Draw(rt, "at")).UTC()
		then := p.at(rt, at, drawnRows)
		for _, request := range pastRequests {
			options, err := url.ParseQuery(request.options)
			if err != nil {
				rt.Fatalf("%s: %v", request.options, err)
			}
			options.Set("asof", at.Format(time.RFC3339Nano))
			then.compare(rt, request.path, options, rapid.IntRange(1, 5).Draw(rt, "limit"))
		}
		then.compareRow(rt, "Sag(1)", at)
		then.compareRow(rt, "Sagstrin(1)/Sag", at)
	})
}

// compareRow fails unless copy and memory give the same row, or none.
func (p *parliament) compareRow(t failer, path string, at time.Time) {
	t.Helper()
	request, err := p.model.Parse(path, "asof="+at.Format(time.RFC3339Nano))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	want := p.rowInMemory(t, path)
	if want == "null" {
		if row, err := p.reader.Row(t.Context(), request); !errors.Is(err, query.ErrNoRow) {
			t.Fatalf("%s asof %s gives %s, %v; want ErrNoRow", path, at, row.Data, err)
		}
		return
	}
	row, err := p.reader.Row(t.Context(), request)
	if err != nil {
		t.Fatalf("%s asof %s: %v", path, at, err)
	}
	got, err := odata.AppendElement(nil, row, request.Entity, request.Shape, 1<<20)
	if err != nil {
		t.Fatalf("%s: %v", row.Data, err)
	}
	if string(got) != want {
		t.Fatalf("%s asof %s gives %s, want %s", path, at, got, want)
	}
}

// rowInMemory returns the one row that a path of at most one link leads to, or null.
func (p *parliament) rowInMemory(t failer, path string) string {
	t.Helper()
	set, rest, _ := strings.Cut(path, "(")
	id, link, linked := strings.Cut(rest, ")/")
	options := url.Values{"$filter": {"id eq " + strings.TrimSuffix(id, ")")}}
	if linked {
		options.Set("$expand", link)
	}
	a, err := p.inMemory(t.Context(), set, options.Encode())
	if err != nil {
		t.Fatalf("%s in memory: %v", path, err)
	}
	if len(a.Value) == 0 {
		return "null"
	}
	if !linked {
		return string(a.Value[0])
	}
	var row map[string]json.RawMessage
	if err := json.Unmarshal(a.Value[0], &row); err != nil {
		t.Fatalf("%s: %v", a.Value[0], err)
	}
	return string(row[link])
}

// A page goes on with the rows of its instant, and not with those of another one.
func TestATokenHoldsItsInstant(t *testing.T) {
	t.Parallel()
	p := newPast(t)
	for id := range int64(3) {
		p.mustApply(t, change("Sag", id+1, 10+id, schema.Create, fmt.Sprintf(`{"id":%d,"titel":"før"}`, id+1)))
	}
	reader, model := query.NewReader(p.pool), odata.NewModel(schema.Entities())
	read := func(asOf int64, token string) (query.Page, error) {
		rawQuery := "$skiptoken=" + token
		if token == "" {
			rawQuery = ""
		}
		request, err := model.Parse("Sag", rawQuery)
		if err != nil {
			t.Fatal(err)
		}
		if asOf > 0 {
			at := time.UnixMicro(asOf)
			request.AsOf = &at
		}
		return reader.Rows(t.Context(), request, 1)
	}
	first, err := read(12, "")
	if err != nil {
		t.Fatal(err)
	}
	now, err := read(0, "")
	if err != nil {
		t.Fatal(err)
	}
	for claim, c := range map[string]struct {
		asOf  int64
		token string
		want  error
	}{
		"the same instant":                {12, first.Next, nil},
		"another instant":                 {11, first.Next, query.ErrToken},
		"now, with a token of an instant": {0, first.Next, query.ErrToken},
		"an instant, with a token of now": {12, now.Next, query.ErrToken},
		"now":                             {0, now.Next, nil},
	} {
		if _, err := read(c.asOf, c.token); !errors.Is(err, c.want) {
			t.Errorf("%s gives %v, want %v", claim, err, c.want)
		}
	}
	p.mustApply(t, change("Sag", 2, 20, schema.Update, `{"id":2,"titel":"efter"}`), change("Sag", 3, 21, schema.Delete, ""))
	var titles []string
	for page := first; page.Next != ""; {
		if page, err = read(12, page.Next); err != nil {
			t.Fatal(err)
		}
		titles = append(titles, string(page.Rows[0].Data))
	}
	if got, want := strings.Join(titles, " "), `{"id": 2, "titel": "før"} {"id": 3, "titel": "før"}`; got != want {
		t.Errorf("pages after changes are %s, want %s", got, want)
	}
}

// What HISTORY_KEEP has dropped is not answered without a word.
func TestAPastThatIsNoLongerKeptIsAnError(t *testing.T) {
	t.Parallel()
	p := newPast(t)
	p.mustApply(t, change("Sag", 1, 10, schema.Create, `{"id":1}`))
	if _, err := p.pool.Exec(t.Context(), `CREATE TABLE parliamentary_history_2020_01 (LIKE parliamentary_history INCLUDING ALL);
ALTER TABLE parliamentary_history ATTACH PARTITION parliamentary_history_2020_01 FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z')`); err != nil {
		t.Fatal(err)
	}
	reader, model := query.NewReader(p.pool), odata.NewModel(schema.Entities())
	ask := func(asOf string) error {
		for path, ask := range map[string]func(*odata.Request) error{
			"Sag":        func(r *odata.Request) error { _, err := reader.Rows(t.Context(), r, 1); return err },
			"Sag(1)":     func(r *odata.Request) error { _, err := reader.Row(t.Context(), r); return err },
			"Sag/$count": func(r *odata.Request) error { _, err := reader.Count(t.Context(), r); return err },
		} {
			request, err := model.Parse(path, asOf)
			if err != nil {
				t.Fatal(err)
			}
			if err := ask(request); err != nil {
				return err
			}
		}
		return nil
	}
	if err := ask("asof=2020-01-15"); err != nil {
		t.Errorf("while the history is kept: %v", err)
	}
	if err := p.store.MaintainHistory(t.Context(), cache.History{Keep: cache.Keep(24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for asOf, want := range map[string]string{
		"":                          "",
		"asof=2020-02-01T00:00:00Z": "",
		"asof=2020-01-31T23:59:59Z": `asof at character 1: the history of 2020-01-31T23:59:59Z is no longer kept; allowed: 2020-02-01T00:00:00Z and later`,
	} {
		got := ""
		var refused *odata.Error
		if err := ask(asOf); errors.As(err, &refused) {
			got = refused.Error()
		} else if err != nil {
			t.Errorf("%q gives %v", asOf, err)
		}
		if got != want {
			t.Errorf("%q gives %q, want %q", asOf, got, want)
		}
	}
}
