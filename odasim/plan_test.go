package odasim

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odastream/odata"
)

// naive answers a query by looking at every row, as a check on the indexes.
func naive(model map[int64]row, f filter, order []orderKey, skip, limit int) (found []int64, count int) {
	var rows []row
	for _, r := range model {
		if f == nil || f.match(r) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		for _, o := range order {
			c := compareKeys(stampKey{a.stamp, 0}, stampKey{b.stamp, 0})
			if o.field == "id" {
				c = compareKeys(stampKey{0, a.id}, stampKey{0, b.id})
			}
			if o.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	found = []int64{}
	for _, r := range rows[min(skip, len(rows)):] {
		if len(found) < limit {
			found = append(found, r.id)
		}
	}
	return found, len(rows)
}

// TestIndexesAgainstEveryRow checks that, whatever is put and removed, each query finds
// what reading every row finds.
func TestIndexesAgainstEveryRow(t *testing.T) {
	t.Parallel()
	const ids = 600 // blocks are split and emptied
	rapid.Check(t, func(r *rapid.T) {
		s := &set{narrow: rapid.SampledFrom([]int{0, 50, narrowRows}).Draw(r, "narrow")}
		model := map[int64]row{}
		for range rapid.IntRange(0, 25).Draw(r, "steps") {
			from := rapid.Int64Range(0, ids).Draw(r, "from")
			n := rapid.Int64Range(1, ids/2).Draw(r, "rows")
			gone := rapid.Bool().Draw(r, "gone")
			stamp := rapid.Int64Range(-1, 6).Draw(r, "stamp")
			if stamp < 0 {
				stamp = noMoment
			}
			for id := from; id < from+n; id++ {
				if gone {
					_, had := model[id]
					if removed := s.remove(id); removed != had {
						r.Fatalf("remove(%d) = %v, want %v", id, removed, had)
					}
					delete(model, id)
					continue
				}
				model[id] = row{id: id, stamp: stamp, data: fmt.Append(nil, id)}
				s.put(model[id])
			}
		}
		checkQuery(r, s, model)
	})
}

// checkQuery compares one query with the model.
func checkQuery(r *rapid.T, s *set, model map[int64]row) {
	up := func(field string) orderKey { return orderKey{field: field} }
	down := func(field string) orderKey { return orderKey{field, odata.OrderKey{Desc: true}} }
	orders := [][]orderKey{
		nil, {up("id")}, {down("id")}, {up(stampField), up("id")}, {down(stampField), up("id")}, {down(stampField), down("id")},
	}
	q := query{order: rapid.SampledFrom(orders).Draw(r, "order"), skip: rapid.IntRange(0, 500).Draw(r, "skip"), count: true}
	if rapid.Bool().Draw(r, "filtered") {
		q.filter = drawFilter(r, 3, 1000)
	}
	limit := rapid.IntRange(0, 20).Draw(r, "limit")
	order := q.order
	if order == nil {
		order = orders[1]
	}
	want, count := naive(model, q.filter, order, q.skip, limit)
	a := s.run(q, limit)
	got := []int64{}
	for _, data := range a.rows {
		var id int64
		if _, err := fmt.Sscan(string(data), &id); err != nil {
			r.Fatal(err)
		}
		got = append(got, id)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Fatalf("%+v limit %d (-want +got):\n%s", q, limit, diff)
	}
	if a.count != count || a.more != (count > q.skip+limit) {
		r.Fatalf("%+v limit %d: count %d more %v, want %d of which %d are skipped", q, limit, a.count, a.more, count, q.skip)
	}
}

// many fills Stemme with n rows. The last tied rows share one stamp.
func many(tb testing.TB, s *Server, n, tied int) {
	tb.Helper()
	rows := make([]row, n)
	for i := range rows {
		stamp := fmt.Sprintf("2014-09-%02dT09:%02d:%02d.653", 1+i/3600%28, i/60%60, i%60)
		if i >= n-tied {
			stamp = "2019-03-20T19:21:12.267"
		}
		r, err := s.options.encode([]byte(vote(i+1, stamp)))
		if err != nil {
			tb.Fatal(err)
		}
		rows[i] = r
	}
	if err := s.sets["Stemme"].replace(rows); err != nil {
		tb.Fatal(err)
	}
}

// TestTieLargerThanAPage pages through a tie by id, by keyset and by link.
func TestTieLargerThanAPage(t *testing.T) {
	t.Parallel()
	const n, tied = 12_000, 5_000
	s := newSim(Options{Compare: CompareText})
	many(t, s, n, tied)
	want := numbers(n-tied+1, n)
	for claim, step := range map[string]func(last int64) []string{
		"by id in fixed bounds": func(last int64) []string {
			return []string{"$orderby", "id", "$top", "100", "$filter", fmt.Sprintf(
				"opdateringsdato gt datetime'2019-03-20T19:21:12.257' and opdateringsdato le datetime'2019-03-20T19:22:00.000' and id gt %d", last)}
		},
		"by keyset": func(last int64) []string {
			return []string{"$orderby", "opdateringsdato,id", "$top", "100", "$filter", fmt.Sprintf(
				"opdateringsdato gt datetime'2019-03-20T19:21:12.267' or (opdateringsdato eq datetime'2019-03-20T19:21:12.267' and id gt %d)", last)}
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var got []int64
			for last := int64(0); ; last = got[len(got)-1] {
				page := ids(t, s, "Stemme", step(last)...)
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFollowLinks(t *testing.T) {
	t.Parallel()
	s := newSim(Options{PageCap: 20})
	many(t, s, 130, 0)
	path, query := "/Stemme", url.Values{"$filter": {"id gt 5"}, "$top": {"90"}}
	var got []int64
	for {
		var options []string
		for name := range query {
			options = append(options, name, query.Get(name))
		}
		a, page := pageOf(t, ask(t, s, path, options...))
		got = append(got, page...)
		if a.Next == "" {
			break
		}
		u, err := url.Parse(a.Next)
		if err != nil {
			t.Fatal(err)
		}
		query = u.Query()
	}
	if diff := cmp.Diff(numbers(6, 95), got); diff != "" {
		t.Errorf("$top=90 with pages of 20 (-want +got):\n%s", diff)
	}
}
