package cache

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// What jsonb refuses is the record's fault, and nothing of it is written.
func TestRecordsThatPostgresRefuses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for claim, tt := range map[string]struct{ data, sqlstate string }{
		"a NUL":                 {`{"a":"\u0000"}`, "22P05"},
		"a lone surrogate":      {`{"a":"\ud800"}`, "22P02"},
		"bad UTF-8":             {"{\"a\":\"\xff\"}", "22021"},
		"a number out of range": {`{"a":1e400000}`, "22003"},
		"no JSON":               {`{"a":`, "22P02"},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := s.Apply(t.Context(), Batch{
				Records: []Record{sag(1, 1, `{}`), sag(2, 1, tt.data)},
				Moves:   []Move{{sagZero, topic, schema.NoOffset, 7}},
			})
			if got, ok := IsRecordFault(err); !ok || got != tt.sqlstate {
				t.Errorf("IsRecordFault(%v) = %q, %v, want %q, true", err, got, ok, tt.sqlstate)
			}
			if got := state(t, s.pool) + pgtest.Lines(t, s.pool, `SELECT * FROM sink_offsets`); got != "" {
				t.Errorf("a refused batch left %q", got)
			}
		})
	}
	if got := mustApply(t, s, sag(1, 1, `{}`)); got.Inserted != 1 {
		t.Errorf("Apply after refused batches = %+v, want 1 inserted", got)
	}
}

func TestIsRecordFault(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":                           {nil, false},
		"an error without a code":           {errors.New("connection reset"), false},
		"a data exception":                  {&pgconn.PgError{Code: "22P05"}, true},
		"a value beyond a limit":            {&pgconn.PgError{Code: "54000"}, true},
		"a named constraint":                {&pgconn.PgError{Code: "23514", ConstraintName: "positive"}, true},
		"a missing partition":               {&pgconn.PgError{Code: "23514"}, false},
		"statement too complex":             {&pgconn.PgError{Code: "54001"}, false},
		"a full disk":                       {&pgconn.PgError{Code: "53100"}, false},
		"a statement that took too long":    {&pgconn.PgError{Code: "57014"}, false},
		"a deadlock":                        {&pgconn.PgError{Code: "40P01"}, false},
		"an unknown code":                   {&pgconn.PgError{Code: "ZZZZZ"}, false},
		"a data exception, wrapped":         {errors.Join(errors.New("x"), &pgconn.PgError{Code: "22003"}), true},
		"a table that is missing":           {&pgconn.PgError{Code: "42P01"}, false},
		"a connection that the server ends": {&pgconn.PgError{Code: "57P01"}, false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if state, got := IsRecordFault(tt.err); got != tt.want || (state != "") != tt.want {
				t.Errorf("IsRecordFault(%v) = %q, %v, want %v", tt.err, state, got, tt.want)
			}
		})
	}
}

// Invariant 6: if its connection breaks, Apply returns an error that is no record
// fault, and the next Apply works.
func TestABrokenConnectionIsAnOutage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 1, `{}`))
	admin := open(t, s.pool.Config().ConnString())
	if _, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	batch := Batch{Records: []Record{sag(1, 2, `{"a":1}`)}}
	for {
		_, err := s.Apply(t.Context(), batch)
		if err == nil {
			break
		}
		if state, ok := IsRecordFault(err); ok {
			t.Fatalf("IsRecordFault(%v) = %s, true, want false", err, state)
		}
	}
	if got, want := state(t, s.pool), `Sag:1 2 {"a": 1}`; got != want {
		t.Errorf("the cache after the reconnection = %s, want %s", got, want)
	}
}

func TestAnUnreachableServerIsAnOutage(t *testing.T) {
	t.Parallel()
	cfg, err := PoolConfig("postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = New(pool, "test", Config{}, quiet()).Apply(t.Context(), Batch{Records: []Record{sag(1, 1, `{}`)}})
	if _, ok := IsRecordFault(err); err == nil || ok {
		t.Errorf("Apply = %v, record fault %v, want an error that is not a record fault", err, ok)
	}
}
