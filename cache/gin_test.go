package cache

import (
	"context"
	"errors"
	"strings"
	"testing"

	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
)

// ginParts shows the GIN index of Sag's partition, whether it is valid, and whether it is
// part of the parent's.
const ginParts = `SELECT i.indisvalid, c.relispartition FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'parliamentary_data_sag'::regclass AND pg_get_indexdef(i.indexrelid) LIKE '%gin (data jsonb_path_ops)%'`

// waitsFor are the kinds of locks that sessions of the database wait for.
const waitsFor = `SELECT DISTINCT l.locktype FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database() AND NOT l.granted`

// A build that is cut off leaves an invalid index. The next build replaces it, and
// GIN off removes it.
func TestTheGINIndexIsBuiltBesideWriters(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ gin, want string }{
		"the build is done by the next sink": {"on", "true true"},
		"GIN off removes what was built":     {"off", ""},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			mustApply(t, s, sag(1, 10, `{"a":1}`), record("Dokument", 1, 1, `{"a":1}`))
			release := hold(t, s, `UPDATE parliamentary_data SET seq = 11 WHERE entity_type = 'Sag'`)
			done, cancel := prepareInBackground(t, s, "on")
			machine.Until(t, "the build to wait for the writer", func() bool { return pgtest.Lines(t, s.pool, lockWaits) != "0" })
			if got := pgtest.Lines(t, s.pool, waitsFor); got != "virtualxid" {
				t.Errorf("the build waits for a lock of %s, want virtualxid: other sessions wait behind one of a relation", got)
			}
			otherGoesOn(t, s, 2)
			mustApply(t, s, record("Ny", 1, 1, `{"a":1}`))
			cancel()
			if err := machine.Recv(t, "the build to end early", done); !errors.Is(err, context.Canceled) {
				t.Errorf("MaintainIndex whose context ends = %v, want %v", err, context.Canceled)
			}
			if got := pgtest.Lines(t, s.pool, ginParts); !strings.HasPrefix(got, "false") {
				t.Errorf("index after a build that was cut off: %q, want an invalid one", got)
			}
			release()
			if err := prepared(c.gin)(s); err != nil {
				t.Fatal(err)
			}
			if got := pgtest.Lines(t, s.pool, ginParts); got != c.want {
				t.Errorf("index of Sag's partition = %q, want %q", got, c.want)
			}
			const ny = `SELECT count(*) FROM pg_indexes WHERE tablename = 'parliamentary_data_ny' AND indexdef LIKE '%gin%'`
			if got, want := pgtest.Lines(t, s.pool, ny) == "1", c.gin == "on"; got != want {
				t.Errorf("a partition that is newer than the build has the index = %t, want %t", got, want)
			}
		})
	}
}

func prepareInBackground(t *testing.T, s *Store, gin string) (done <-chan error, cancel func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cfg, errs := s.cfg, make(chan error, 1)
	cfg.GIN = gin
	go func() { errs <- New(s.pool, "test", cfg, quiet()).MaintainIndex(ctx) }()
	return errs, cancel
}
