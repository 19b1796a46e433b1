package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/migrate"
	"odastream/internal/session"
	"odastream/oda"
)

// oldestPostgres is the oldest major version that has what the tables need.
const oldestPostgres = 15

// postgres checks whether the database answers, its version, whether it takes what
// poller and sink write, and its tables.
func (cfg Config) postgres(ctx context.Context, _ *slog.Logger) []oda.Finding {
	if cfg.DatabaseURL == "" {
		return []oda.Finding{trouble("settings", "DATABASE_URL is not set, and no \"odastream up\" runs here",
			"poller and sink need a database", "set DATABASE_URL to one of Postgres, or name a trial's directory with --dir")}
	}
	pool, err := connect.Postgres(ctx, cfg.DatabaseURL, nil)
	if err != nil {
		return []oda.Finding{notOpened(err)}
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	findings := []oda.Finding{
		ok("reachable", "it answers", "DATABASE_URL is right"),
		postgresVersion(ctx, pool), writable(ctx, pool), connections(ctx, pool), rights(ctx, pool), cfg.migrations(ctx),
	}
	return append(findings, leases(ctx, pool)...)
}

// SQLSTATEs of a server that refuses a session.
const (
	tooManyConnections = "53300"
	noSuchDatabase     = "3D000"
	wrongPassword      = "28P01"
	notAuthorized      = "28000"
)

// notOpened returns the finding about a database with which no session can be opened.
func notOpened(err error) oda.Finding {
	if bad, is := errors.AsType[*session.EncodingError](err); is {
		return trouble("encoding", bad.Encoding, "poller and sink do not start on it: not every text can be stored",
			"make a database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and have DATABASE_URL name it")
	}
	if shared, is := errors.AsType[*connect.PoolerError](err); is {
		return unreached("pooler", shared, "poller, sink and commands do not start behind it", "set pool_mode = session, or have DATABASE_URL name Postgres itself")
	}
	code := ""
	if refused, is := errors.AsType[*pgconn.PgError](err); is {
		code = refused.Code
	}
	switch code {
	case tooManyConnections:
		return unreached("connections", err, "poller and sink wait until sessions end", raiseLimit)
	case noSuchDatabase:
		return unreached("database", err, "poller and sink wait for it", "create it with CREATE DATABASE, or correct DATABASE_URL")
	case wrongPassword, notAuthorized:
		return unreached("login", err, "poller and sink cannot log in, and try again", "correct user and password in DATABASE_URL, or pg_hba.conf")
	}
	return unreached("reachable", err, "poller and sink wait for it, and lose nothing by it", "start Postgres, or correct DATABASE_URL")
}

// leases returns a finding if leases end further off than any lease may last.
func leases(ctx context.Context, pool *pgxpool.Pool) []oda.Finding {
	void, err := checkpoint.New(pool).VoidLeases(ctx)
	if err != nil || len(void) == 0 {
		return nil // without the tables there are no leases: see the finding of the migrations
	}
	return []oda.Finding{trouble("leases", "further in the future than a lease may last: "+strings.Join(void, ", "),
		"the database's clock was ahead; a poller takes such a lease at once, so none runs that works on these entities",
		"check the clock of the database's machine, and start the poller")}
}

func postgresVersion(ctx context.Context, pool *pgxpool.Pool) oda.Finding {
	var text string
	var number int
	err := pool.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num')::int").Scan(&text, &number)
	if err != nil {
		return unreached("version", err, "it could not be checked", seeServerLog)
	}
	f := ok("version", text, fmt.Sprintf("%d or newer is wanted", oldestPostgres))
	if number/10_000 < oldestPostgres {
		f.Verdict, f.Remedy = oda.VerdictTrouble, fmt.Sprintf("upgrade Postgres to %d or newer", oldestPostgres)
	}
	return f
}

// seeServerLog is the remedy where a question to the server failed.
const seeServerLog = "see what the server logs about it"

// migrations checks whether the tables are those of this version.
func (cfg Config) migrations(ctx context.Context) oda.Finding {
	pending, err := migrate.Pending(ctx, cfg.DatabaseURL)
	switch {
	case errors.Is(err, migrate.ErrNewer):
		return unreached("migrations", err, "this version does not know the tables, and its programs do not start on them",
			"use the newer version of odastream everywhere")
	case err != nil:
		return unreached("migrations", err, "it could not be checked", "give the database's user the right to read its tables")
	case len(pending) == 0:
		return ok("migrations", "all are applied", "the tables are those of this version")
	}
	f := oda.Finding{
		Name: "migrations", Verdict: oda.VerdictNote, Seen: fmt.Sprintf("%d are not applied: %s", len(pending), strings.Join(pending, ", ")),
		Means: "poller and sink apply them at their next start",
	}
	if !cfg.Migrate {
		f.Verdict, f.Means = oda.VerdictTrouble, "MIGRATE=off: poller and sink do not apply them"
		f.Remedy = "run odastream migrate"
	}
	return f
}
