package cache

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// In any batches, with older records repeated: as_of equals the model's row at every
// seq, each entry of the history leads from the version before to the version after,
// and a replay of everything writes nothing.
func TestAsOfAnyHistory(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const count = `SELECT count(*), md5(string_agg(h::text, ' ' ORDER BY h::text)) FROM parliamentary_history h`
	rapid.Check(t, func(r *rapid.T) {
		empty(t, s.pool)
		records := drawVersions(r)
		for rest, past := records, 0; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(r, "batch")
			batch := slices.Clone(rest[:n])
			if past += n; rapid.Bool().Draw(r, "again") {
				batch = append(batch, rapid.SliceOfN(rapid.SampledFrom(records[:past]), 0, 4).Draw(r, "repeated")...)
			}
			mustApply(t, s, rapid.Permutation(batch).Draw(r, "order")...)
			rest = rest[n:]
		}
		want := versionsOf(records)
		if diff := cmp.Diff(want.history, shownHistory(t, s)); diff != "" {
			r.Fatalf("history of %v (-want +got):\n%s", records, diff)
		}
		if diff := cmp.Diff(want.rows, shownAsOf(t, s, len(records))); diff != "" {
			r.Fatalf("as_of at every seq of %v (-want +got):\n%s", records, diff)
		}
		before := pgtest.Lines(t, s.pool, count)
		mustApply(t, s, records...)
		if after := pgtest.Lines(t, s.pool, count); after != before {
			r.Fatalf("history after a replay of everything: %s, want %s", after, before)
		}
	})
}

// drawVersions returns records of three keys by growing seq: any action, members
// that come and go, content that repeats, and stamps that change alone.
func drawVersions(r *rapid.T) []Record {
	var records []Record
	for seq := range int64(rapid.IntRange(1, 16).Draw(r, "records")) {
		id := int64(rapid.IntRange(1, 3).Draw(r, "id"))
		data := ""
		if rapid.IntRange(0, 3).Draw(r, "kind") > 0 {
			members := []string{fmt.Sprintf(`"opdateringsdato":"%d"`, rapid.IntRange(1, 2).Draw(r, "stamp"))}
			for _, name := range []string{"a", "b"} {
				if v := rapid.SampledFrom([]string{"", "1", "null"}).Draw(r, name); v != "" {
					members = append(members, fmt.Sprintf("%q:%s", name, v))
				}
			}
			data = "{" + strings.Join(members, ",") + "}"
		}
		record := sag(id, seq+1, data)
		if data != "" {
			record.Change.Action = rapid.SampledFrom([]schema.Action{schema.Snapshot, schema.Create, schema.Update}).Draw(r, "action")
		}
		records = append(records, record)
	}
	return records
}

// content is a row without its stamp; nil for none.
type content map[string]any

func contentOf(data string) content {
	if data == "" {
		return nil
	}
	c := content{}
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		panic(err)
	}
	delete(c, "opdateringsdato")
	return c
}

// differing returns the members of a that differ in b or are missing there.
func (a content) differing(b content) content {
	out := content{}
	for name, v := range a {
		if w, has := b[name]; !has || !reflect.DeepEqual(v, w) {
			out[name] = v
		}
	}
	return out
}

// versions is the expected history and as_of after a list of records.
type versions struct {
	history []string          // "id seq action changed before after"
	rows    map[string]string // by "id@seq", of every seq and the one before the first
}

func versionsOf(records []Record) versions {
	v := versions{rows: map[string]string{}}
	rows, known := map[int64]content{}, map[int64]bool{}
	note := func(seq int64) {
		for id := int64(1); id <= 3; id++ {
			v.rows[fmt.Sprintf("%d@%d", id, seq)] = show(rows[id])
		}
	}
	note(0)
	for _, r := range records {
		c := r.Change
		was, is := rows[c.ID], contentOf(string(c.Data))
		before, after := was.differing(is), is.differing(was)
		switch {
		case was == nil && is != nil && (known[c.ID] || c.Action == schema.Create):
			v.add(c, "create", nil, nil, is)
		case was != nil && is == nil:
			v.add(c, "delete", nil, was, nil)
		case was != nil && is != nil && len(before)+len(after) > 0:
			both := maps.Clone(before)
			maps.Copy(both, after)
			v.add(c, "update", slices.Sorted(maps.Keys(both)), before, after)
		}
		rows[c.ID], known[c.ID] = is, true
		note(c.Seq)
	}
	slices.Sort(v.history)
	return v
}

func (v *versions) add(c schema.Change, action string, changed []string, before, after content) {
	v.history = append(v.history, fmt.Sprintf("%d %d %s %v %s %s", c.ID, c.Seq, action, changed, show(before), show(after)))
}

func show(c content) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// shownHistory is the history as versions has it.
func shownHistory(tb testing.TB, s *Store) []string {
	tb.Helper()
	rows, err := s.pool.Query(tb.Context(), `SELECT entity_id, seq, action, array_remove(changed, 'opdateringsdato'),
    COALESCE(before::text, ''), COALESCE(after::text, '') FROM parliamentary_history`)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var id, seq int64
		var action, before, after string
		var changed []string
		if err := rows.Scan(&id, &seq, &action, &changed, &before, &after); err != nil {
			tb.Fatal(err)
		}
		slices.Sort(changed)
		lines = append(lines, fmt.Sprintf("%d %d %s %v %s %s", id, seq, action, changed, show(contentOf(before)), show(contentOf(after))))
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// shownAsOf is as_of of each key at each seq.
func shownAsOf(tb testing.TB, s *Store, last int) map[string]string {
	tb.Helper()
	got := map[string]string{}
	lines := pgtest.Lines(tb, s.pool, `SELECT format('%s@%s %s', id, seq, COALESCE(parliament.as_of('Sag', id, 'epoch'::timestamptz + seq * interval '1us')::text, ''))
FROM generate_series(1, 3) id, generate_series(0, $1::integer) seq`, last)
	for line := range strings.SplitSeq(lines, "\n") {
		key, data, _ := strings.Cut(line, " ")
		got[key] = show(contentOf(data))
	}
	return got
}
