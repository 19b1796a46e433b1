package cache

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

const showPartition = `SELECT tableoid::regclass::text FROM parliamentary_data WHERE entity_type = $1`

func TestEveryEntityHasItsPartition(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var records []Record
	for _, e := range schema.Entities() {
		for id := range int64(64) {
			records = append(records, record(e.Name, id, 1, `{}`))
		}
	}
	mustApply(t, s, records...)
	for _, e := range schema.Entities() {
		want := "parliamentary_data_" + e.Suffix
		if e.Size == schema.Large {
			var parts []string
			for i := range 8 {
				parts = append(parts, fmt.Sprintf("%s_%d", want, i))
			}
			want = strings.Join(parts, "\n")
		}
		if got := pgtest.Lines(t, s.pool, `SELECT DISTINCT tableoid::regclass::text FROM parliamentary_data WHERE entity_type = $1 ORDER BY 1`, e.Name); got != want {
			t.Errorf("partitions of %s:\n%s\nwant\n%s", e.Name, got, want)
		}
	}
}

func TestPartitionOfAnUnknownEntity(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, tt := range []struct{ claim, entity, want string }{
		{"the topic's last part", "Høring", "parliamentary_data_hoering"},
		{"a name taken by a new entity", "Hoering", "parliamentary_data_hoering_9432a0b9"},
		{"a name taken by a known entity", "Aktoer", "parliamentary_data_aktoer_9ddff513"},
		{"a name taken by a part", "Stemme_0", "parliamentary_data_stemme_0_f87b88d9"},
		{"signs that need quotes", `It's "so" \ a.b`, "parliamentary_data_it_s__so____a_b"},
		{"more than a name may have", strings.Repeat("Lang", 30), ("parliamentary_data_" + strings.Repeat("lang", 30))[:63]},
		{"more than a name may have, twice", strings.Repeat("Lang", 31), ("parliamentary_data_" + strings.Repeat("lang", 30))[:54] + "_0d96e715"},
	} {
		mustApply(t, s, record(tt.entity, 1, 1, `{}`), record(tt.entity, 2, 1, ""))
		if got := pgtest.Lines(t, s.pool, showPartition, tt.entity); got != tt.want {
			t.Errorf("%s: partition of %s = %s, want %s", tt.claim, tt.entity, got, tt.want)
		}
	}
}

// Sinks that apply a new entity at the same time create one partition, and none fails.
func TestManyWritersOfANewEntityCreateOnePartition(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const writers = 8
	var wg sync.WaitGroup
	for i := range int64(writers) {
		other := New(open(t, s.pool.Config().ConnString()), "test", Config{}, quiet())
		wg.Go(func() {
			if _, err := other.Apply(context.Background(), Batch{Records: []Record{record("Høring", i, 1, `{}`), record("Ny", i, 1, `{}`)}}); err != nil {
				t.Errorf("Apply of writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	got := pgtest.Lines(t, s.pool, `SELECT tableoid::regclass::text, count(*) FROM parliamentary_data GROUP BY 1 ORDER BY 1`)
	if want := "parliamentary_data_hoering 8\nparliamentary_data_ny 8"; got != want {
		t.Errorf("rows by partition:\n%s\nwant\n%s", got, want)
	}
}

// A session that lacked a partition is not used again: its cached list of partitions
// may stay out of date.
func TestASessionThatLackedAPartitionIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	cfg := newStore(t).pool.Config()
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := New(pool, "test", Config{}, quiet())
	session := func() string { return pgtest.Lines(t, pool, `SELECT pg_backend_pid()`) }
	mustApply(t, s, record("Sag", 1, 1, `{}`))
	known := session()
	if mustApply(t, s, record("Sag", 2, 1, `{}`)); session() != known {
		t.Error("a batch of a known entity ended its session")
	}
	if mustApply(t, s, record("Høring", 1, 1, `{}`)); session() == known {
		t.Error("the session that lacked a partition is used again")
	}
}

// A long query that reads the parent table does not delay a new entity's partition.
func TestReaderDoesNotHoldUpAPartition(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	reader, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback(context.Background()) }()
	if _, err := reader.Exec(t.Context(), `SELECT count(*) FROM parliamentary_data`); err != nil {
		t.Fatal(err)
	}
	if got := mustApply(t, s, record("Ny", 1, 1, `{}`)); got.Inserted != 1 {
		t.Errorf("Apply beside a reader = %+v, want 1 inserted", got)
	}
}
