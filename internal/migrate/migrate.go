// Package migrate brings a database to the schema that this build was made
// for, from the SQL files of package schema.
//
// Invariant: with any number of programs that start at once, each migration runs once
// and in order, and Up returns nil only once the schema is that of this build. The
// package knows nothing of what the tables mean.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"odastream/internal/session"
	"odastream/schema"
)

// Seconds between tries to take the lock, and the number of tries: a minute in all,
// longer than any migration of a filled database has taken.
const (
	lockPeriod = 1
	lockTries  = 60
)

// lockWithin bounds how long a migration waits for a lock. lockPause is the time between
// two tries, in which those who waited behind it catch up.
const (
	lockWithin       = "2s"
	lockPause        = 5 * time.Second
	idleWithin       = "10s" // longer than lockPause
	lockNotAvailable = "55P03"
)

// ErrNewer is returned by Up for a database that a newer build has migrated:
// start that build, or restore the database of this one.
var ErrNewer = errors.New("the database was migrated by a newer version of odastream")

// Up applies the missing migrations to the database, each in its own transaction, and
// logs a line for each. It waits up to a minute for another program that migrates the
// same database.
//
// It returns ErrNewer for a database with newer migrations, and refuses one that lacks
// an earlier migration; it changes neither.
func Up(ctx context.Context, databaseURL string, log *slog.Logger) error {
	files, err := fs.Sub(schema.Migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	return up(ctx, databaseURL, files, log)
}

func up(ctx context.Context, databaseURL string, files fs.FS, log *slog.Logger) error {
	db, err := open(databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	err = db.PingContext(ctx)
	if session.RefusedByPooler(err) {
		err = db.PingContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("migrate database: connect: %w", err)
	}
	provider, err := newProvider(db, files)
	if err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	if err := apply(ctx, provider, log); err != nil {
		return failure(err)
	}
	return checkVersion(ctx, provider)
}

// apply applies the missing migrations. Readers and writers of a table wait behind a
// migration that waits for its lock, so it waits for lockWithin at a time.
func apply(ctx context.Context, provider *goose.Provider, log *slog.Logger) error {
	for {
		results, err := provider.Up(ctx)
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			results = partial.Applied
		}
		report(log, results)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != lockNotAvailable {
			return err
		}
		log.Warn("a migration does not get a lock, retrying", "err", failure(err), "in", lockPause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

func open(databaseURL string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		// pgx's message does not contain the password.
		return nil, fmt.Errorf("migrate database: %w", err)
	}
	// A migration may take longer than a deployment's statement_timeout.
	session.Pin(config)
	config.RuntimeParams["statement_timeout"] = "0" // whatever the URL says
	config.RuntimeParams["lock_timeout"] = lockWithin
	// The lock ends with the session. So a program that is frozen between two statements,
	// or cut off in one, keeps it no longer than this.
	config.RuntimeParams["idle_session_timeout"] = idleWithin
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	config.RuntimeParams["application_name"] = "odastream migrate"
	return stdlib.OpenDB(*config), nil
}

func newProvider(db *sql.DB, files fs.FS) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker),
		goose.WithAllowOutofOrder(false),
		goose.WithDisableGlobalRegistry(true))
}

func report(log *slog.Logger, results []*goose.MigrationResult) {
	for _, r := range results {
		log.Info("migration applied", "version", r.Source.Version, "file", r.Source.Path, "duration", r.Duration)
	}
}

// failure returns an error that names the file, which goose's own text does not.
func failure(err error) error {
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		return fmt.Errorf("migrate database: apply %s: %w", partial.Failed.Source.Path, partial.Err)
	}
	return fmt.Errorf("migrate database: %w", err)
}

func checkVersion(ctx context.Context, provider *goose.Provider) error {
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version of the database: %w", err)
	}
	if current > target {
		return fmt.Errorf("migrate database: it has version %d, this build has %d: %w", current, target, ErrNewer)
	}
	return nil
}
