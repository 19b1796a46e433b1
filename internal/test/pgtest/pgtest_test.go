package pgtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odastream/internal/test/pgtest"
)

func TestEachCallCreatesADatabase(t *testing.T) {
	t.Parallel()
	first, second := pgtest.Migrated(t), pgtest.Migrated(t)
	pgtest.Exec(t, first, "INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 1, '{}', 1)")
	for url, want := range map[string]string{first: "1", second: "0"} {
		if got := pgtest.Value(t, url, "SELECT count(*)::text FROM parliamentary_data"); got != want {
			t.Errorf("rows in %s = %s, want %s", url, got, want)
		}
	}
}

func TestEmptyHasNoTables(t *testing.T) {
	t.Parallel()
	got := pgtest.Value(t, pgtest.Empty(t), "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'")
	if got != "0" {
		t.Errorf("tables in an empty database = %s, want 0", got)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("test with an open session", func(t *testing.T) {
		url := pgtest.Empty(t)
		name = pgtest.Value(t, url, "SELECT current_database()::text")
		if _, err := pgx.Connect(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	})
	other := pgtest.Empty(t)
	if got := pgtest.Value(t, other, "SELECT count(*)::text FROM pg_database WHERE datname = '"+name+"'"); got != "0" {
		t.Errorf("database %s exists after its test", name)
	}
}

// A second process on the same server represents the tests of another package.
func TestProcessesShareTheServerOfTheEnvironment(t *testing.T) {
	t.Parallel()
	if os.Getenv("PGTEST_INNER") != "" {
		t.Skip("runs in the outer process only")
	}
	url := pgtest.Migrated(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^(TestEachCallCreatesADatabase|TestDatabaseIsDroppedWithItsTest)$", "-test.v")
	cmd.Env = append(os.Environ(), pgtest.EnvURL+"="+url, "PGTEST_INNER=1")
	out, err := cmd.CombinedOutput()
	for _, name := range []string{"TestEachCallCreatesADatabase", "TestDatabaseIsDroppedWithItsTest"} {
		if err != nil || !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s in a second process: %v\n%s", name, err, out)
		}
	}
}

func TestLinesReturnsALineForEachRow(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if got, want := pgtest.Lines(t, conn, `SELECT n, 'x' || n FROM generate_series(1, $1) n`, 2), "1 x1\n2 x2"; got != want {
		t.Errorf("Lines = %q, want %q", got, want)
	}
	if got := pgtest.Lines(t, conn, `SELECT 1 WHERE false`); got != "" {
		t.Errorf("Lines of no rows = %q, want nothing", got)
	}
}
