package query_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/query"
)

// search evaluates a search in memory.
func (m memory) search(f query.SearchFilter) []query.Hit {
	actors := filtered(m["Aktør"], func(a fields) bool { return has(f.Q, a.text("navn"), a.text("gruppenavnkort")) }, lastFirst, func(a fields) query.Hit {
		return query.Hit{Type: "actor", ID: a.id(), Title: a.text("navn"), Label: a.text("gruppenavnkort")}
	})
	cases := filtered(m["Sag"], func(c fields) bool { return has(f.Q, c.text("titel"), c.text("titelkort"), c.text("nummer")) }, lastFirst, func(c fields) query.Hit {
		return query.Hit{Type: "case", ID: c.id(), Title: c.text("titel"), Label: c.text("nummer")}
	})
	documents := filtered(m["Dokument"], func(d fields) bool { return has(f.Q, d.text("titel")) }, lastFirst, func(d fields) query.Hit {
		return query.Hit{Type: "document", ID: d.id(), Title: d.text("titel"), Date: d.clock("dato")}
	})
	found := slices.DeleteFunc(slices.Concat(actors, cases, documents), func(h query.Hit) bool { return f.Type != "" && h.Type != f.Type })
	return append([]query.Hit{}, found...)
}

// compareSearches compares what the copy finds with what is found in memory.
func (p *parliament) compareSearches(t *testing.T, m memory, limit int, filters ...query.SearchFilter) {
	t.Helper()
	for _, f := range filters {
		got := pages(t, limit, func(after string, limit int) (query.List[query.Hit], error) {
			return p.reader.Search(t.Context(), f, after, limit)
		})
		if diff := cmp.Diff(m.search(f), got); diff != "" {
			t.Fatalf("search for %+v (-memory +copy):\n%s", f, diff)
		}
		t.Logf("%d hits of %+v", len(got), f)
	}
}

func TestASearchFindsWhatAnEvaluationInMemoryFinds(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.2)
	p.compareSearches(t, remembered(t, p.sim), 7,
		query.SearchFilter{Q: "EN  om"}, query.SearchFilter{Q: "udvalg"}, query.SearchFilter{Q: "s", Type: "actor"},
		query.SearchFilter{Q: "forslag", Type: "case"}, query.SearchFilter{Q: "om", Type: "document"}, query.SearchFilter{Q: "ingen har dette"})
}

func TestASearchNeedsAWord(t *testing.T) {
	t.Parallel()
	p := made(t, nil)
	for _, q := range []string{"", "  ", "\t"} {
		var bad *query.FilterError
		if _, err := p.reader.Search(t.Context(), query.SearchFilter{Q: q}, "", 1); !errors.As(err, &bad) || bad.Parameter != "q" {
			t.Errorf("a search for %q gives %v, want an error that names q", q, err)
		}
	}
}
