package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/migrate"
	"odastream/internal/session"
	"odastream/oda"
)

// oldestPostgres is the oldest major version that has what the tables need.
const oldestPostgres = 15

// postgres checks whether the database answers, its version, and its tables.
func (cfg Config) postgres(ctx context.Context, _ *slog.Logger) []oda.Finding {
	if cfg.DatabaseURL == "" {
		return []oda.Finding{{
			Name: "settings", Verdict: oda.VerdictTrouble, Seen: "DATABASE_URL is not set, and no \"odastream up\" runs here",
			Means: "poller and sink need a database", Remedy: "set DATABASE_URL to one of Postgres, or name a trial's directory with --dir",
		}}
	}
	pool, err := connect.Postgres(ctx, cfg.DatabaseURL, nil)
	if bad, ok := errors.AsType[*session.EncodingError](err); ok {
		return []oda.Finding{{
			Name: "encoding", Verdict: oda.VerdictTrouble, Seen: bad.Encoding, Means: "poller and sink do not start on it: not every text can be stored",
			Remedy: "make a database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and have DATABASE_URL name it",
		}}
	}
	if err != nil {
		return []oda.Finding{unreached("reachable", err, "poller and sink wait for it, and lose nothing by it",
			"start Postgres, or correct DATABASE_URL")}
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	findings := []oda.Finding{
		{Name: "reachable", Verdict: oda.VerdictOK, Seen: "it answers", Means: "DATABASE_URL is right"},
		postgresVersion(ctx, pool), cfg.migrations(ctx),
	}
	return append(findings, leases(ctx, pool)...)
}

// leases returns a finding if leases end further off than any lease may last.
func leases(ctx context.Context, pool *pgxpool.Pool) []oda.Finding {
	void, err := checkpoint.New(pool).VoidLeases(ctx)
	if err != nil || len(void) == 0 {
		return nil // without the tables there are no leases: see the finding of the migrations
	}
	return []oda.Finding{{
		Name: "leases", Verdict: oda.VerdictTrouble, Seen: "further in the future than a lease may last: " + strings.Join(void, ", "),
		Means:  "the database's clock was ahead; a poller takes such a lease at once, so none runs that works on these entities",
		Remedy: "check the clock of the database's machine, and start the poller",
	}}
}

func postgresVersion(ctx context.Context, pool *pgxpool.Pool) oda.Finding {
	var text string
	var number int
	err := pool.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num')::int").Scan(&text, &number)
	if err != nil {
		return unreached("version", err, "it could not be checked", "see what the server logs about it")
	}
	f := oda.Finding{Name: "version", Verdict: oda.VerdictOK, Seen: text, Means: fmt.Sprintf("%d or newer is wanted", oldestPostgres)}
	if number/10_000 < oldestPostgres {
		f.Verdict, f.Remedy = oda.VerdictTrouble, fmt.Sprintf("upgrade Postgres to %d or newer", oldestPostgres)
	}
	return f
}

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
		return oda.Finding{Name: "migrations", Verdict: oda.VerdictOK, Seen: "all are applied", Means: "the tables are those of this version"}
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
