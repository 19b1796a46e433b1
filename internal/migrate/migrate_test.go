package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/migrate"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

func TestEightProgramsAtOnceMigrateOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	// A table that starts empty counts the runs of each migration.
	files := migrations(map[int]string{
		1: "CREATE TABLE runs (version int);\nINSERT INTO runs VALUES (1);\nSELECT pg_sleep(0.2);",
		2: "INSERT INTO runs VALUES (2);",
	})
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&locked{w: &log}, nil))
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { errs <- migrate.UpFiles(t.Context(), url, files, logger) }()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("Up beside seven others: %v", err)
		}
	}
	if got, want := pgtest.Value(t, url, "SELECT string_agg(version::text, ',' ORDER BY version) FROM runs"), "1,2"; got != want {
		t.Errorf("migrations that ran = %s, want %s", got, want)
	}
	if got := strings.Count(log.String(), "migration applied"); got != 2 {
		t.Errorf("lines logged = %d, want one for each migration:\n%s", got, &log)
	}
}

func TestEightProgramsAtOnceMigrateTheRealSchema(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := migrate.Up(t.Context(), url, quiet()); err != nil {
				t.Errorf("Up beside seven others: %v", err)
			}
		})
	}
	group.Wait()
	if got := pgtest.Value(t, url, "SELECT count(*)::text FROM parliamentary_data"); got != "0" {
		t.Errorf("rows after Up = %s, want 0", got)
	}
	names, err := fs.Glob(schema.Migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	// Version 0 is goose's own row.
	if got, want := pgtest.Value(t, url, "SELECT count(*)::text FROM goose_db_version"), fmt.Sprint(len(names)+1); got != want {
		t.Errorf("versions recorded = %s, want %s", got, want)
	}
}

func TestUpRefuses(t *testing.T) {
	t.Parallel()
	ok := "CREATE TABLE %s (id int);"
	for claim, c := range map[string]struct {
		before, now map[int]string
		want        string // in the error
		is          error
	}{
		"a database of a newer build": {
			before: map[int]string{1: fmt.Sprintf(ok, "a"), 2: fmt.Sprintf(ok, "b")},
			now:    map[int]string{1: fmt.Sprintf(ok, "a")},
			want:   "it has version 2, this build has 1", is: migrate.ErrNewer,
		},
		"a migration left out before": {
			before: map[int]string{1: fmt.Sprintf(ok, "a"), 3: fmt.Sprintf(ok, "c")},
			now:    map[int]string{1: fmt.Sprintf(ok, "a"), 2: fmt.Sprintf(ok, "b"), 3: fmt.Sprintf(ok, "c")},
			want:   "version 2",
		},
		"SQL that fails, naming its file": {
			now:  map[int]string{1: "SELECT no_such_column;"},
			want: "apply 00001_m.sql:",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Empty(t)
			if c.before != nil {
				if err := migrate.UpFiles(t.Context(), url, migrations(c.before), quiet()); err != nil {
					t.Fatalf("Up before: %v", err)
				}
			}
			err := migrate.UpFiles(t.Context(), url, migrations(c.now), quiet())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("Up = %v, want one line with %q", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("Up = %v, want %v", err, c.is)
			}
		})
	}
}

// A migration that waits for a reader holds up other readers for a bounded time, and is
// applied once the reader ends.
func TestAMigrationWaitsForAReaderAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	pgtest.Exec(t, url, "CREATE TABLE a (id int)")
	reader, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close(context.WithoutCancel(t.Context())) })
	if _, err := reader.Exec(t.Context(), "BEGIN; SELECT FROM a"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- migrate.UpFiles(t.Context(), url, migrations(map[int]string{1: "ALTER TABLE a ADD COLUMN b int;"}), quiet())
	}()
	const waits = `SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass`
	machine.Until(t, "the migration to wait for the reader", func() bool { return pgtest.Value(t, url, waits) == "1" })
	ctx, cancel := context.WithTimeout(t.Context(), machine.AtLeast(8*time.Second))
	defer cancel()
	other, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(context.WithoutCancel(t.Context())) }()
	if _, err := other.Exec(ctx, "SELECT FROM a"); err != nil {
		t.Fatalf("read behind the migration: %v", err)
	}
	if _, err := reader.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := machine.Recv(t, "the migration after the reader", done); err != nil {
		t.Errorf("Up after the reader: %v", err)
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	bad := migrations(map[int]string{1: "CREATE TABLE a (id int);", 2: "CREATE TABLE b (id int);\nSELECT no_such_column;"})
	if err := migrate.UpFiles(t.Context(), url, bad, quiet()); err == nil {
		t.Fatal("Up of SQL that fails = nil")
	}
	if got := pgtest.Value(t, url, "SELECT coalesce(to_regclass('b')::text, 'none')"); got != "none" {
		t.Errorf("table of the failed migration = %s, want none", got)
	}
	good := migrations(map[int]string{1: "CREATE TABLE a (id int);", 2: "CREATE TABLE b (id int);"})
	if err := migrate.UpFiles(t.Context(), url, good, quiet()); err != nil {
		t.Errorf("Up of the mended one: %v", err)
	}
}

func TestErrorsOfTheAddressHideThePassword(t *testing.T) {
	t.Parallel()
	for claim, url := range map[string]string{
		"an address that is none":         "postgres://u:s3cret@host:port/db",
		"a server that cannot be reached": "postgres://u:s3cret@127.0.0.1:1/db",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			err := migrate.Up(t.Context(), url, quiet())
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("Up = %v, want an error without the password", err)
			}
		})
	}
}

func migrations(sql map[int]string) fs.FS {
	files := fstest.MapFS{}
	for version, text := range sql {
		files[fmt.Sprintf("%05d_m.sql", version)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text + "\n")}
	}
	return files
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// locked is a writer for several loggers.
type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
