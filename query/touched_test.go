package query_test

import (
	"context"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/query"
	"odastream/schema"
)

// views notes the views that statements name.
type views struct {
	lock  sync.Mutex
	names []string
}

func (v *views) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	v.lock.Lock()
	defer v.lock.Unlock()
	for _, found := range regexp.MustCompile(`parliament\.(\w+)`).FindAllStringSubmatch(q.SQL, -1) {
		v.names = append(v.names, found[1])
	}
	return ctx
}

func (*views) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// entities returns the entities of the views, and forgets them.
func (v *views) entities(t *testing.T) (names []string) {
	t.Helper()
	v.lock.Lock()
	defer v.lock.Unlock()
	for _, view := range v.names {
		if view == "partimedlemskab" {
			names = append(names, "Aktør", "AktørAktør")
			continue
		}
		e, err := schema.Lookup(view)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Name)
	}
	v.names = nil
	slices.Sort(names)
	return slices.Compact(names)
}

func TestTouchedNamesWhatIsRead(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.05)
	m := remembered(t, p.sim)
	v := &views{}
	cfg := p.pool.Config()
	cfg.ConnConfig.Tracer = v
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	traced := &parliament{pool, p.sim, query.NewReader(pool), p.model}
	all := map[string]string{
		"session": *m["Periode"][0].text("kode"), "party": "V", "actor": "1", "q": "e", "from": "2023-01-01", "to": "2023-12-31",
	}
	words := map[string][2]string{
		"votes": {"Afstemningstype", ""}, "cases": {"Sagstype", "Sagsstatus"}, "actors": {"Aktørtype", ""}, "documents": {"Dokumenttype", "Dokumentstatus"}, "meetings": {"Mødetype", "Mødestatus"},
	}
	for noun, read := range readers(traced) {
		delete(all, "type")
		delete(all, "status")
		if of := words[noun]; of[0] != "" {
			all["type"] = *m[of[0]][0].text("type")
			if of[1] != "" {
				all["status"] = *m[of[1]][0].text("status")
			}
		}
		if _, err := read(t, all, ""); err != nil {
			t.Fatalf("%s: %v", noun, err)
		}
		v.want(t, noun)
	}
	for noun, read := range map[string]func() error{
		"vote":          func() error { _, err := traced.reader.Vote(t.Context(), m["Afstemning"][0].id()); return err },
		"case":          func() error { _, err := traced.reader.Case(t.Context(), m["Sag"][0].id()); return err },
		"actor":         func() error { _, err := traced.reader.Actor(t.Context(), m["Aktør"][0].id(), 1); return err },
		"document":      func() error { _, err := traced.reader.Document(t.Context(), m["Dokument"][0].id()); return err },
		"case changes":  func() error { _, err := traced.reader.ChangesOfCase(t.Context(), m["Sag"][0].id(), 1); return err },
		"actor changes": func() error { _, err := traced.reader.ChangesOfActor(t.Context(), m["Aktør"][0].id(), 1); return err },
		"meeting":       func() error { _, err := traced.reader.Meeting(t.Context(), m["Møde"][0].id()); return err },
	} {
		if err := read(); err != nil {
			t.Fatalf("%s: %v", noun, err)
		}
		v.want(t, noun)
	}
}

// want checks that Touched names the entities that were read.
func (v *views) want(t *testing.T, noun string) {
	t.Helper()
	named := query.Touched(noun)
	slices.Sort(named)
	if diff := cmp.Diff(v.entities(t), named); diff != "" {
		t.Errorf("what %s touches (-read +named):\n%s", noun, diff)
	}
}
