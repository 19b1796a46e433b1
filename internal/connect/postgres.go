// Package connect connects to Postgres and Kafka.
//
// Invariant: if one cannot be reached, the error says in one line what to do. The package
// knows nothing of what connections are used for.
package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/daemon"
	"odastream/internal/migrate"
	"odastream/internal/session"
	"odastream/internal/settings"
)

// within bounds one attempt to reach a service.
const within = 10 * time.Second

// Postgres opens a pool at url and checks that the server answers. Package session sets
// up the sessions, and configure (nil: nothing) may change them. An invalid url is
// daemon.Permanent.
func Postgres(ctx context.Context, url string, configure func(*pgxpool.Config)) (*pgxpool.Pool, error) {
	if err := settings.CheckPostgres(url); err != nil {
		return nil, daemon.Permanent(fmt.Errorf("DATABASE_URL is not right, %w", err))
	}
	cfg, err := session.Config(url)
	if err != nil {
		return nil, daemon.Permanent(fmt.Errorf("DATABASE_URL: %w", err))
	}
	if configure != nil {
		configure(cfg)
	}
	return Pool(ctx, cfg)
}

// Pool opens a pool as cfg says and checks that the server answers. A database that
// cannot store every text, and one behind a pooler that shares sessions, are
// daemon.Permanent.
func Pool(ctx context.Context, cfg *pgxpool.Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := reach(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// reach opens a session and looks at what it leads to.
func reach(ctx context.Context, pool *pgxpool.Pool) error {
	err := pool.Ping(ctx)
	if session.RefusedByPooler(err) {
		err = pool.Ping(ctx)
	}
	if bad, ok := errors.AsType[*session.EncodingError](err); ok {
		return daemon.Permanent(bad)
	}
	if err == nil {
		err = checkPooler(ctx, pool)
	}
	if shared, ok := errors.AsType[*PoolerError](err); ok {
		return daemon.Permanent(shared)
	}
	if err != nil {
		return &unreachedError{cause: err}
	}
	return nil
}

// unreachedError is one line, and keeps its cause.
type unreachedError struct{ cause error }

func (e *unreachedError) Error() string {
	line := strings.Join(strings.Fields(e.cause.Error()), " ") // pgx's error has a line for each address
	return fmt.Sprintf("reach Postgres: %s (is it running? DATABASE_URL says where it is)", line)
}

func (e *unreachedError) Unwrap() error { return e.cause }

// Tables migrates the database at url to this version's tables. If may is false, it only
// checks that they exist. A database of a newer version is daemon.Permanent.
func Tables(ctx context.Context, url string, may bool, log *slog.Logger) error {
	var err error
	if may {
		err = migrate.Up(ctx, url, log)
	} else {
		err = present(ctx, url)
	}
	if errors.Is(err, migrate.ErrNewer) {
		return daemon.Permanent(err)
	}
	return err
}

func present(ctx context.Context, url string) error {
	pending, err := migrate.Pending(ctx, url)
	if err == nil && len(pending) > 0 {
		err = fmt.Errorf("the database lacks %d migrations (%s to %s), and MIGRATE=off: run odastream migrate",
			len(pending), pending[0], pending[len(pending)-1])
	}
	return err
}

// Pinger is a Kafka client that can check whether a broker answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Kafka checks that a broker answers p.
func Kafka(ctx context.Context, p Pinger) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return p.Ping(ctx)
}
