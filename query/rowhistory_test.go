package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/query"
	"odastream/schema"
)

// lived returns a parliament in which Sag 1 was created, updated three times and deleted,
// Sag 2 came with a first load and was updated once, and Sag 3 came with a first load.
func lived(t *testing.T) *parliament {
	t.Helper()
	p := made(t, nil)
	if _, err := p.pool.Exec(t.Context(), `INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, changed, before, after, recorded_at, since) VALUES
('Sag', 1, 10, 'create', NULL, NULL, '{"id":1,"titel":"a"}', now() - interval '5 min', NULL),
('Sag', 1, 20, 'update', '{titel}', '{"titel":"a"}', '{"titel":"b"}', now() - interval '4 min', 10),
('Sag', 1, 30, 'update', '{titel}', '{"titel":"b"}', '{"titel":"c"}', now() - interval '3 min', 20),
('Sag', 1, 40, 'delete', NULL, '{"id":1,"titel":"c"}', NULL, now() - interval '2 min', 30),
('Sag', 2, 25, 'update', '{titel}', '{"titel":"x"}', '{"titel":"y"}', now() - interval '1 min', 5)`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.pool.Exec(t.Context(), `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq, since) VALUES
('Sag', 2, '{"nyt":1.0,"titel":"y","id":2,"typeid":12345678901234567890123}', 25, 25), ('Sag', 3, '{"id":3}', 5, 5)`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.pool.Exec(t.Context(), `INSERT INTO parliamentary_deleted (entity_type, entity_id, seq) VALUES ('Sag', 1, 40), ('Sag', 4, 7)`); err != nil {
		t.Fatal(err)
	}
	return p
}

// at returns the moment of a seq.
func at(seq int64) *time.Time {
	moment := time.UnixMicro(seq)
	return &moment
}

func TestARowIsWhatItIsOrWas(t *testing.T) {
	t.Parallel()
	p := lived(t)
	const now = `{"id":2,"typeid":12345678901234567890123,"titel":"y","nyt":1.0}`
	for claim, c := range map[string]struct {
		entity string
		id     int64
		at     *time.Time
		want   string // "" is none
	}{
		"as it is, in the order of the source": {"Sag", 2, nil, now},
		"by a name in another spelling":        {"sag", 3, nil, `{"id":3}`},
		"deleted":                              {"Sag", 1, nil, ""},
		"never there":                          {"Sag", 5, nil, ""},
		"before it was created":                {"Sag", 1, at(9), ""},
		"when it was created":                  {"Sag", 1, at(10), `{"id":1,"titel":"a"}`},
		"between two changes":                  {"Sag", 1, at(29), `{"id":1,"titel":"b"}`},
		"just before it was deleted":           {"Sag", 1, at(39), `{"id":1,"titel":"c"}`},
		"when it was deleted":                  {"Sag", 1, at(40), ""},
		"before its one change":                {"Sag", 2, at(24), `{"id":2,"typeid":12345678901234567890123,"titel":"x","nyt":1.0}`},
		"in the future":                        {"Sag", 2, at(1 << 52), now},
	} {
		got, err := p.reader.RowOf(t.Context(), c.entity, c.id, c.at)
		if c.want == "" && !errors.Is(err, query.ErrNoRow) || c.want != "" && (err != nil || string(got) != c.want) {
			t.Errorf("%s: %s, %v; want %s", claim, got, err, c.want)
		}
	}
}

func TestTheHistoryOfARowIsTheNewestFirst(t *testing.T) {
	t.Parallel()
	p := lived(t)
	for _, limit := range []int{1, 2, 3, 100} {
		got := pages(t, limit, func(after string, limit int) (query.List[query.Version], error) {
			return p.reader.History(t.Context(), "sag", 1, after, limit)
		})
		var lines []string
		for _, v := range got {
			if time.Since(v.RecordedAt) > time.Hour {
				t.Errorf("version %d is recorded at %s", v.Seq, v.RecordedAt)
			}
			v.RecordedAt = time.Time{}
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(text))
		}
		form := func(seq int, action, changed, before, after string) string {
			return fmt.Sprintf(`{"seq":%d,"action":"%s","recorded_at":"0001-01-01T00:00:00Z","changed":%s,"before":%s,"after":%s}`, seq, action, changed, before, after)
		}
		if diff := cmp.Diff([]string{
			form(40, "delete", "null", `{"id":1,"titel":"c"}`, "null"),
			form(30, "update", `["titel"]`, `{"titel":"b"}`, `{"titel":"c"}`),
			form(20, "update", `["titel"]`, `{"titel":"a"}`, `{"titel":"b"}`),
			form(10, "create", "null", "null", `{"id":1,"titel":"a"}`),
		}, lines); diff != "" {
			t.Errorf("history by %d (-want +got):\n%s", limit, diff)
		}
	}
}

func TestOnlyARowThatWasNeverThereHasNoHistory(t *testing.T) {
	t.Parallel()
	p := lived(t)
	for id, want := range map[int64]error{1: nil, 2: nil, 3: nil, 4: nil, 5: query.ErrNoRow, -1: query.ErrNoRow} {
		page, err := p.reader.History(t.Context(), "Sag", id, "", 10)
		if !errors.Is(err, want) || page.Items == nil {
			t.Errorf("the history of Sag %d is %v, %v; want %v", id, page.Items, err, want)
		}
	}
	var unknown *schema.UnknownEntityError
	if _, err := p.reader.History(t.Context(), "Sagg", 1, "", 10); !errors.As(err, &unknown) {
		t.Errorf("the history of an unknown entity gives %v", err)
	}
	if _, err := p.reader.RowOf(t.Context(), "'; --", 1, nil); !errors.As(err, &unknown) {
		t.Errorf("a row of an unknown entity gives %v", err)
	}
	list, err := p.reader.Cases(t.Context(), query.CaseFilter{}, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.reader.History(t.Context(), "Sag", 1, list.Next, 10); !errors.Is(err, query.ErrToken) {
		t.Errorf("a history with a token of another list gives %v, want ErrToken", err)
	}
}

func TestEntitiesSayWhatTheCopyHas(t *testing.T) {
	t.Parallel()
	p := lived(t)
	through, changed, deleted := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for sql, arg := range map[string]time.Time{
		`INSERT INTO poller_watermarks (entity_type, watermark, wall_clock, consistent_through) VALUES ('Sag', $1, '2026-01-02T03:04:05', $1)`: through,
		`UPDATE parliamentary_data SET updated_at = $1`:    changed,
		`UPDATE parliamentary_deleted SET deleted_at = $1`: deleted,
	} {
		if _, err := p.pool.Exec(t.Context(), sql, arg); err != nil {
			t.Fatal(err)
		}
	}
	list, err := p.reader.Entities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Entity)
		want := query.EntityState{Entity: e.Entity}
		if e.Entity == "Sag" {
			want = query.EntityState{Entity: "Sag", Rows: 2, CompleteThrough: &through, LastChange: &deleted}
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Entity, diff)
		}
	}
	var want []string
	for _, e := range schema.Entities() {
		want = append(want, e.Name)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("entities (-want +got):\n%s", diff)
	}
}
