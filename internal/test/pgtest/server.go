package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"

	"odastream/internal/host/pgserver"
	"odastream/internal/test/slot"
)

// Server is a Postgres for tests, in its own slot. Its directory stays for the next test
// process: an existing cluster starts in 50 ms, and already has the template.
type Server = slot.Server[*pgserver.Server]

// Start starts a server in the first free slot below the temporary directory. It ends
// with this process at the latest. Start drops databases that earlier tests left.
func Start(ctx context.Context) (*Server, error) { return slot.Start(ctx, "pg", startIn) }

// startIn starts a server in dir, on a new cluster if the old one cannot be used: another
// version made it, or the machine crashed while it ran.
func startIn(ctx context.Context, dir string) (*pgserver.Server, error) {
	running, err := pgserver.Start(ctx, options(dir))
	if err != nil {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("clear test server: %w", err)
		}
		running, err = pgserver.Start(ctx, options(dir))
	}
	if err != nil {
		return nil, err
	}
	if err := sweep(ctx, running.URL()); err != nil {
		return nil, errors.Join(fmt.Errorf("drop databases of earlier tests: %w", err), running.Stop())
	}
	return running, nil
}

func options(dir string) pgserver.Options {
	return pgserver.Options{
		Dir:      dir,
		Database: "tests",
		// A power cut may destroy these databases. Each test makes and drops one, which
		// would mostly wait for the disk.
		Volatile: true,
		// A server that still runs there belongs to a process that has ended.
		Exclusive: true,
		Settings:  map[string]string{"max_connections": "300", "wal_level": "minimal", "max_wal_senders": "0"},
	}
}

// sweep drops the databases that killed tests left, and templates of other migrations,
// which take half a second to make again.
func sweep(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	current, err := currentTemplate()
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "SELECT datname FROM pg_database WHERE (starts_with(datname, $1) OR starts_with(datname, $2)) AND datname <> $3",
		testPrefix, templatePrefix, current)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := drop(ctx, conn, name); err != nil {
			return err
		}
	}
	return nil
}

// drop also drops a database whose drop a kill interrupted. Postgres marks it as invalid:
// it can be dropped but not altered.
func drop(ctx context.Context, conn *pgx.Conn, name string) error {
	quoted := pgx.Identifier{name}.Sanitize()
	var template bool
	if err := conn.QueryRow(ctx, "SELECT datistemplate FROM pg_database WHERE datname = $1", name).Scan(&template); err != nil {
		return err
	}
	if template {
		if _, err := conn.Exec(ctx, "ALTER DATABASE "+quoted+" IS_TEMPLATE false"); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, "DROP DATABASE "+quoted+" WITH (FORCE)")
	return err
}
