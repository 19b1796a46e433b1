package checkpoint

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"odastream/schema"
)

// pollerColumns describes the poller's tables and indexes, one column a line.
const pollerColumns = `
SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' not null: ' || a.attnotnull
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relname LIKE 'poller\_%' ORDER BY c.relname, a.attnum`

// The migrations from version 2 on can be undone and applied again.
func TestPollerTablesGoDownAndUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	files, err := fs.Sub(schema.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer func() { _ = db.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	before := column(t, s, pollerColumns)
	if len(before) == 0 {
		t.Fatal("a migrated database has no table of the poller")
	}
	if _, err := provider.DownTo(t.Context(), 1); err != nil {
		t.Fatalf("down to version 1: %v", err)
	}
	if left := column(t, s, pollerColumns); len(left) != 0 {
		t.Errorf("after the way down there are %v", left)
	}
	if _, err := provider.Up(t.Context()); err != nil {
		t.Fatalf("up again: %v", err)
	}
	if diff := cmp.Diff(before, column(t, s, pollerColumns)); diff != "" {
		t.Errorf("tables after down and up (-before +after):\n%s", diff)
	}
	furnish(t, s, acquire(t, s, entity, "a"))
}
