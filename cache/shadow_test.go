package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

var sagTopicID = [16]byte{7}

// appliedUpTo sets the offset of both partitions of Sag's topic.
func appliedUpTo(next int64) []Move {
	var moves []Move
	for p := range int32(2) {
		moves = append(moves, Move{TopicPartition: schema.TopicPartition{Topic: "parliament-sag", Partition: p}, TopicID: sagTopicID, From: schema.NoOffset, To: next})
	}
	return moves
}

// apply applies records as a sink does, with the offsets after them.
func applyAll(t *testing.T, s *Store, records ...Record) {
	t.Helper()
	if _, err := s.Apply(t.Context(), Batch{Records: records, Moves: appliedUpTo(1000)}); err != nil {
		t.Fatal(err)
	}
}

func openShadow(t *testing.T, s *Store, keysOnly bool, records ...Record) *ShadowTable {
	t.Helper()
	shadow, err := s.OpenShadow(t.Context(), ShadowTopic{
		Entity: "Sag", Topic: "parliament-sag", TopicID: sagTopicID, Partitions: 2, KeysOnly: keysOnly,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shadow.Close)
	if _, err := shadow.Add(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if _, err := shadow.Index(t.Context()); err != nil {
		t.Fatal(err)
	}
	return shadow
}

func nothingNew(context.Context) error { return nil }

// verdicts compares the whole entity and examines the candidates.
func verdicts(t *testing.T, shadow *ShadowTable, mend bool) string {
	t.Helper()
	found, err := shadow.Compare(t.Context(), math.MinInt64, 100)
	if err != nil {
		t.Fatal(err)
	}
	damage, err := shadow.Examine(t.Context(), found.Candidates, mend, nothingNew)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range damage {
		all = append(all, fmt.Sprintf("%d %s", d.ID, d.Verdict))
	}
	if found.Pending > 0 {
		all = append(all, fmt.Sprintf("%d pending", found.Pending))
	}
	if found.Unreadable > 0 {
		all = append(all, fmt.Sprintf("%d unreadable", found.Unreadable))
	}
	return strings.Join(all, ", ")
}

func exec(t *testing.T, s *Store, sql string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// ofTopic is what the topic of these tests holds: rows 1 to 4, row 5 deleted, of
// row 1 two versions.
func ofTopic() []Record {
	return []Record{
		sag(1, 10, `{"id":1,"titel":"a"}`), sag(2, 20, `{"id":2,"titel":"b"}`), sag(3, 30, `{"id":3,"titel":"c"}`),
		sag(4, 40, `{"id":4,"titel":"d"}`), sag(5, 50, `{"id":5,"titel":"e"}`), sag(1, 60, `{"id":1,"titel":"A"}`),
		sag(5, 70, ""), tombstone(5, 70),
	}
}

func TestDamageIsFoundAndMended(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ damage, want string }{
		"none": {"", ""},
		"a row changed without its seq": {
			`UPDATE parliamentary_data SET data = '{"id":2,"titel":"forged"}' WHERE entity_id = 2`, "2 different",
		},
		"a row set back to an older version": {
			`UPDATE parliamentary_data SET data = '{"id":1,"titel":"a"}', seq = 10 WHERE entity_id = 1`, "1 different",
		},
		"a row whose seq is higher than any change can have": {
			`UPDATE parliamentary_data SET data = '{}', seq = 9223372036854775807 WHERE entity_id = 2`, "2 different",
		},
		"a row whose seq alone was raised": {`UPDATE parliamentary_data SET seq = seq + 1 WHERE entity_id = 3`, "3 different"},
		"a row whose stamp was changed":    {`UPDATE parliamentary_data SET opdateringsdato = now() WHERE entity_id = 3`, "3 different"},
		"rows removed":                     {`DELETE FROM parliamentary_data WHERE entity_id IN (1, 4)`, "1 missing, 4 missing"},
		"all rows removed":                 {`TRUNCATE parliamentary_data`, "1 missing, 2 missing, 3 missing, 4 missing"},
		"a row removed as though it was deleted": {
			`DELETE FROM parliamentary_data WHERE entity_id = 4; INSERT INTO parliamentary_deleted VALUES ('Sag', 4, 999)`, "4 missing",
		},
		"a row that the cache also has as deleted": {`INSERT INTO parliamentary_deleted VALUES ('Sag', 4, 999)`, "4 different"},
		"a row added": {
			`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 1)`, "99 extra",
		},
		"a row added with the highest seq of all": {
			`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', -7, '{}', 9223372036854775807)`, "-7 extra",
		},
		"a deleted row brought back": {
			`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 5, '{}', 1)`, "5 extra",
		},
		"a deleted row brought back as a newer one": {
			`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 5, '{}', 71)`, "5 extra",
		},
		"a delete of another seq": {`UPDATE parliamentary_deleted SET seq = 9223372036854775807`, "5 undeleted"},
		"everything at once": {
			`UPDATE parliamentary_data SET data = '[]' WHERE entity_id = 1; DELETE FROM parliamentary_data WHERE entity_id = 2;
			INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 0, '{}', 5)`,
			"0 extra, 1 different, 2 missing",
		},
	}
	for claim, c := range cases {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			applyAll(t, s, ofTopic()...)
			before := state(t, s.pool)
			history := pgtest.Lines(t, s.pool, `SELECT * FROM parliamentary_history ORDER BY entity_id, seq`)
			exec(t, s, c.damage)
			damaged := state(t, s.pool)
			shadow := openShadow(t, s, false, ofTopic()...)
			if got := verdicts(t, shadow, false); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
			if diff := cmp.Diff(damaged, state(t, s.pool)); diff != "" {
				t.Errorf("a dry run changed the cache (-want +got):\n%s", diff)
			}
			if got := verdicts(t, shadow, true); got != c.want {
				t.Errorf("mended %q, want %q", got, c.want)
			}
			if diff := cmp.Diff(before, state(t, s.pool)); diff != "" {
				t.Errorf("cache after mending (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(history, pgtest.Lines(t, s.pool, `SELECT * FROM parliamentary_history ORDER BY entity_id, seq`)); diff != "" {
				t.Errorf("mending wrote history (-want +got):\n%s", diff)
			}
			if got := verdicts(t, shadow, true); got != "" {
				t.Errorf("found %q after mending", got)
			}
		})
	}
}

// A delete that the cache lost is stored again without content; its seq makes older
// changes stale.
func TestALostDeleteIsStoredAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	applyAll(t, s, ofTopic()...)
	exec(t, s, `DELETE FROM parliamentary_deleted`)
	shadow := openShadow(t, s, false, ofTopic()...)
	if got := verdicts(t, shadow, true); got != "5 undeleted" {
		t.Errorf("mended %q, want 5 undeleted", got)
	}
	if r := mustApply(t, s, sag(5, 69, `{"id":5}`)); r.Stale != 1 {
		t.Errorf("an older change of the deleted row: %+v, want it stale", r)
	}
}

func TestARowThatMissedItsDeleteIsStoredAsDeleted(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	applyAll(t, s, ofTopic()...)
	exec(t, s, `DELETE FROM parliamentary_deleted;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 5, '{"id":5,"titel":"e"}', 50)`)
	shadow := openShadow(t, s, false, ofTopic()...)
	if got := verdicts(t, shadow, true); got != "5 extra" {
		t.Errorf("mended %q, want 5 extra", got)
	}
	want := `Sag 5 70 map[id:5 titel:e] false`
	if got := pgtest.Lines(t, s.pool, `SELECT entity_type, entity_id, seq, data, expired FROM parliamentary_deleted`); got != want {
		t.Errorf("deleted rows: %s, want %s", got, want)
	}
}

func TestUndamagedRowsAreNotWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	applyAll(t, s, ofTopic()...)
	exec(t, s, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 2`)
	const others = `SELECT entity_id, ctid::text, xmin::text, created_at, updated_at FROM parliamentary_data WHERE entity_id <> 2 ORDER BY 1`
	before := pgtest.Lines(t, s.pool, others)
	verdicts(t, openShadow(t, s, false, ofTopic()...), true)
	if diff := cmp.Diff(before, pgtest.Lines(t, s.pool, others)); diff != "" {
		t.Errorf("undamaged rows (-before +after):\n%s", diff)
	}
}

func TestAnExpiredRowIsNotDamage(t *testing.T) {
	t.Parallel()
	s := New(newStore(t).pool, "test", Config{GIN: "off", TTL: TTL{"Sag": time.Hour}}, quiet())
	applyAll(t, s, ofTopic()...)
	exec(t, s, `UPDATE parliamentary_data SET expires_at = now() - interval '1s' WHERE entity_id IN (1, 2)`)
	if n, err := s.Expire(t.Context()); n != 2 || err != nil {
		t.Fatalf("Expire = %d, %v", n, err)
	}
	before := state(t, s.pool)
	shadow := openShadow(t, s, false, ofTopic()...)
	if got := verdicts(t, shadow, true); got != "" {
		t.Errorf("found %q, want nothing: the rows have expired", got)
	}
	if diff := cmp.Diff(before, state(t, s.pool)); diff != "" {
		t.Errorf("cache (-before +after):\n%s", diff)
	}
	exec(t, s, `DELETE FROM parliamentary_data WHERE entity_id = 3`)
	if got := verdicts(t, shadow, true); got != "3 missing" {
		t.Errorf("found %q, want 3 missing", got)
	}
	if got := pgtest.Lines(t, s.pool, `SELECT expires_at > now() + interval '59m' FROM parliamentary_data WHERE entity_id = 3`); got != "true" {
		t.Errorf("the mended row lives for another hour: %s", got)
	}
}

// Records from the sink's offset on are left to the sink, which writes each change with
// its history.
func TestPendingRowsAreLeftToTheSink(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	topic := append(ofTopic(), sag(2, 2000, `{"id":2,"titel":"new"}`), sag(6, 2001, `{"id":6}`), sag(3, 2002, ""))
	applyAll(t, s, ofTopic()...)
	before := state(t, s.pool)
	exec(t, s, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 1`)
	shadow := openShadow(t, s, false, topic...)
	if got, want := verdicts(t, shadow, true), "1 different, 3 pending"; got != want {
		t.Errorf("mended %q, want %q", got, want)
	}
	if diff := cmp.Diff(before, state(t, s.pool)); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
	mustApply(t, s, topic[len(topic)-3:]...)
	if got := pgtest.Lines(t, s.pool, `SELECT string_agg(entity_id || ' ' || action, ', ' ORDER BY seq) FROM parliamentary_history WHERE seq >= 2000`); got != "2 update, 3 delete" {
		t.Errorf("history of the changes that the sink applied then: %s", got)
	}
}

// The sink applies more between reading the topic and mending: what it wrote is not
// damage, and stays.
func TestRowsAppliedDuringARebuildStay(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	applyAll(t, s, ofTopic()...)
	shadow := openShadow(t, s, false, ofTopic()...)
	later := []Record{sag(2, 200, `{"id":2,"titel":"newer"}`), sag(6, 201, `{"id":6}`), sag(3, 202, ""), sag(1, 203, `{"id":1,"titel":"x"}`)}
	mustApply(t, s, later...)
	exec(t, s, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 1`)
	found, err := shadow.Compare(t.Context(), math.MinInt64, 100)
	if diff := cmp.Diff([]int64{1, 2, 3, 6}, found.Candidates); diff != "" || err != nil {
		t.Fatalf("candidates (-want +got), %v:\n%s", err, diff)
	}
	damage, err := shadow.Examine(t.Context(), found.Candidates, true, func(ctx context.Context) error {
		_, err := shadow.Add(ctx, later)
		return err
	})
	if diff := cmp.Diff([]Damage{{1, Different}}, damage); diff != "" || err != nil {
		t.Errorf("damage (-want +got), %v:\n%s", err, diff)
	}
	want := pgtest.Lines(t, s.pool, `VALUES ('-Sag:3 202 {"id": 3, "titel": "c"}'), ('-Sag:5 70 {"id": 5, "titel": "e"}')`) +
		"\n" + pgtest.Lines(t, s.pool, `VALUES ('Sag:1 203 {"id": 1, "titel": "x"}'), ('Sag:2 200 {"id": 2, "titel": "newer"}'), ('Sag:4 40 {"id": 4, "titel": "d"}'), ('Sag:6 201 {"id": 6}')`)
	if diff := cmp.Diff(lines(want), lines(state(t, s.pool))); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
}

func lines(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		set[strings.TrimSpace(line)] = true
	}
	return set
}

// Examine compares under the locks of all of the topic's partitions, and holds none of
// them while the topic is read.
func TestExamineHoldsTheSinksLocks(t *testing.T) {
	t.Parallel()
	for p := range int64(2) {
		s := newStore(t)
		applyAll(t, s, ofTopic()...)
		shadow := openShadow(t, s, false, ofTopic()...)
		read := make(chan error, 9)
		release := hold(t, s, fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, shadow.lockKeys()[p]))
		done := make(chan error, 1)
		go func() {
			_, err := shadow.Examine(t.Context(), []int64{1}, true, func(context.Context) error {
				_, err := s.Apply(t.Context(), Batch{Records: []Record{omtryk(p, 500, `{}`)}})
				read <- err
				return err
			})
			done <- err
		}()
		if err := machine.Recv(t, "the topic to be read", read); err != nil {
			t.Errorf("Apply while the topic is read = %v", err)
		}
		machine.Until(t, "Examine to wait for the lock", func() bool { return pgtest.Lines(t, s.pool, lockWaits) == "1" })
		if len(done) > 0 {
			t.Errorf("Examine with partition %d locked = %v, want it to wait", p, <-done)
		}
		release()
		if err := machine.Recv(t, "Examine after the lock", done); err != nil {
			t.Errorf("Examine after the lock = %v", err)
		}
	}
}

// A sink writes a row after the topic was read: the row is compared again, with the topic
// read on.
func TestARowWrittenAfterTheTopicWasReadIsNotMended(t *testing.T) {
	t.Parallel()
	for claim, newer := range map[string]Record{
		"a row that is changed": sag(2, 900, `{"id":2,"titel":"newer"}`),
		"a row that is deleted": sag(2, 900, ""),
		"a row that is created": sag(9, 900, `{"id":9}`),
		"a row that comes back": sag(5, 900, `{"id":5}`),
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			applyAll(t, s, ofTopic()...)
			exec(t, s, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 1`)
			shadow := openShadow(t, s, false, ofTopic()...)
			reads := 0
			damage, err := shadow.Examine(t.Context(), []int64{1, 2, 5, 9}, true, func(ctx context.Context) error {
				if reads++; reads == 1 {
					mustApply(t, s, newer) // it is on the topic behind what was read
					return nil
				}
				_, err := shadow.Add(ctx, []Record{newer})
				return err
			})
			if diff := cmp.Diff([]Damage{{1, Different}}, damage); diff != "" || err != nil {
				t.Errorf("damage (-want +got), %v:\n%s", err, diff)
			}
			if reads != 2 {
				t.Errorf("the topic was read %d times, want 2", reads)
			}
			if got := mustApply(t, s, newer); got.Stale != 1 {
				t.Errorf("the newer change once more: %+v, want it stale: the cache has it", got)
			}
		})
	}
}

func TestRecordsThatPostgresRefusesAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	topic := append(ofTopic(), sag(2, 90, `{"id":2,"titel":"\u0000"}`), sag(7, 91, `{"id":7,"titel":"\u0000"}`))
	applyAll(t, s, ofTopic()...)
	// Row 7 is as an earlier record made it that was compacted away.
	exec(t, s, `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 7, '{"id":7}', 45)`)
	before := state(t, s.pool)
	exec(t, s, `UPDATE parliamentary_data SET data = '{}' WHERE entity_id = 2`)
	if got, want := verdicts(t, openShadow(t, s, false, topic...), true), "2 different, 1 unreadable"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	if diff := cmp.Diff(before, state(t, s.pool)); diff != "" {
		t.Errorf("cache (-want +got):\n%s", diff)
	}
}

func TestATopicThatIsNotAppliedIsNotCompared(t *testing.T) {
	t.Parallel()
	for claim, sql := range map[string]string{
		"no offset":           `DELETE FROM sink_offsets`,
		"another topic's id":  `UPDATE sink_offsets SET topic_id = gen_random_uuid() WHERE partition = 1`,
		"another group's own": `UPDATE sink_offsets SET group_id = 'other'`,
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			applyAll(t, s, ofTopic()...)
			exec(t, s, sql)
			shadow := openShadow(t, s, false)
			if _, err := shadow.Compare(t.Context(), math.MinInt64, 10); !errors.Is(err, ErrNotApplied) {
				t.Errorf("Compare = %v, want ErrNotApplied", err)
			}
			if _, err := shadow.Examine(t.Context(), []int64{1}, true, nothingNew); !errors.Is(err, ErrNotApplied) {
				t.Errorf("Examine = %v, want ErrNotApplied", err)
			}
		})
	}
}

func TestRangesCoverEveryID(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var topic []Record
	for id := range int64(50) {
		topic = append(topic, sag(id*3, id+1, fmt.Sprintf(`{"id":%d}`, id*3)))
	}
	applyAll(t, s, topic...)
	exec(t, s, `DELETE FROM parliamentary_data WHERE entity_id % 2 = 0;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Sag', id, '{}', 1 FROM generate_series(-40, 400, 4) AS id`)
	shadow := openShadow(t, s, false, topic...)
	var candidates []int64
	var in, cached, ranges int64
	for low := int64(math.MinInt64); low < math.MaxInt64; ranges++ {
		r, err := shadow.Compare(t.Context(), low, 7)
		if err != nil {
			t.Fatal(err)
		}
		candidates, in, cached, low = append(candidates, r.Candidates...), in+r.InTopic, cached+r.InCache, r.High
	}
	if in != 50 || cached != 25+111 || ranges < 7 {
		t.Errorf("%d rows of the topic, %d of the cache in %d ranges, want 50, 136 and several", in, cached, ranges)
	}
	want := pgtest.Lines(t, s.pool, `SELECT count(*) FROM (SELECT id * 3 AS id FROM generate_series(0, 48, 2) AS id UNION SELECT generate_series(-40, 400, 4)) x`)
	if got := fmt.Sprint(len(candidates)); got != want {
		t.Errorf("%s candidates, want %s", got, want)
	}
}

func TestAMendedRowKeepsItsHistory(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	applyAll(t, s, ofTopic()...)
	const past = `SELECT parliament.as_of('Sag', 1, to_timestamp(0.000059)), parliament.as_of('Sag', 1, to_timestamp(0.000061))`
	before := pgtest.Lines(t, s.pool, past)
	exec(t, s, `DELETE FROM parliamentary_data WHERE entity_id = 1`)
	verdicts(t, openShadow(t, s, false, ofTopic()...), true)
	if got := pgtest.Lines(t, s.pool, past); got != before {
		t.Errorf("row 1 before and after its change: %s, want %s", got, before)
	}
}

func TestRowsThatTheTopicNoLongerHoldsAreDeleted(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	applyAll(t, s, ofTopic()...)
	exec(t, s, `UPDATE sink_offsets SET updated_at = now() - interval '40 days'`)
	mustApply(t, s, sag(2, 20, "")) // stale: no delete
	kept := []Record{sag(1, 60, `{"id":1,"titel":"A"}`), sag(3, 30, `{"id":3,"titel":"c"}`), sag(3, 2000, ""), sag(8, 2001, `{"id":8}`)}
	shadow := openShadow(t, s, true, kept...)
	found, err := shadow.Compare(t.Context(), math.MinInt64, 100)
	if diff := cmp.Diff([]int64{2, 4}, found.Candidates); diff != "" || err != nil {
		t.Fatalf("candidates (-want +got), %v:\n%s", err, diff)
	}
	// Row 4 comes again while the two are compared.
	removed, err := shadow.DeleteAbsent(t.Context(), found.Candidates, func(ctx context.Context) error {
		_, err := shadow.Add(ctx, []Record{sag(4, 1500, `{"id":4}`)})
		return err
	})
	if removed != 1 || err != nil {
		t.Errorf("DeleteAbsent = %d, %v, want 1 row", removed, err)
	}
	if err := shadow.RenewOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 60", "3 30", "4 40"}
	if got := strings.Split(pgtest.Lines(t, s.pool, `SELECT entity_id, seq FROM parliamentary_data ORDER BY 1`), "\n"); cmp.Diff(want, got) != "" {
		t.Errorf("rows %v, want %v", got, want)
	}
	if got := pgtest.Lines(t, s.pool, `SELECT entity_id, seq, data ->> 'titel' FROM parliamentary_deleted ORDER BY 1`); got != "2 2001 b\n5 70 e" {
		t.Errorf("deleted rows:\n%s\nwant row 2 as of the topic's newest seq", got)
	}
	if got := pgtest.Lines(t, s.pool, `SELECT entity_id, seq, action, before ->> 'titel' FROM parliamentary_history WHERE seq > 1000`); got != "2 2001 delete b" {
		t.Errorf("history: %s", got)
	}
	if r := mustApply(t, s, sag(2, 1999, `{"id":2}`)); r.Stale != 1 {
		t.Errorf("an older change of the deleted row: %+v, want it stale", r)
	}
	if got := pgtest.Lines(t, s.pool, `SELECT count(*) FROM sink_offsets WHERE updated_at < now() - interval '1 minute'`); got != "0" {
		t.Errorf("%s offsets are still old", got)
	}
}

func TestAShadowTableLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	applyAll(t, s, ofTopic()...)
	shadow := openShadow(t, s, false, ofTopic()...)
	shadow.Close()
	if _, err := shadow.Compare(t.Context(), 0, 1); err == nil {
		t.Error("Compare after Close = nil")
	}
	for range 3 { // its connection is not the pool's any more
		exec(t, s, `CREATE TEMPORARY TABLE IF NOT EXISTS odastream_shadow (x integer); DROP TABLE odastream_shadow`)
	}
}
