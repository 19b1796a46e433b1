// Package connect connects to Postgres and Kafka. If one cannot be reached, its error
// says in one line what to do.
//
// It knows nothing of how a connection is used.
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

// within bounds one try to reach a service.
const within = 10 * time.Second

// Postgres opens a pool at url, with sessions as package session makes them and
// configure (nil: nothing) changes them, and checks that the server answers. An
// unreadable url is daemon.Permanent.
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

// Pool opens a pool as cfg says and checks that the server answers. A database
// that cannot store every text is daemon.Permanent.
func Pool(ctx context.Context, cfg *pgxpool.Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		if bad, ok := errors.AsType[*session.EncodingError](err); ok {
			return nil, daemon.Permanent(bad)
		}
		line := strings.Join(strings.Fields(err.Error()), " ") // pgx writes a line for each address
		return nil, fmt.Errorf("reach Postgres: %s (is it running? DATABASE_URL says where it is)", line)
	}
	return pool, nil
}

// Tables brings the database at url to this version's tables, or without may only
// looks whether it has them. A database that a newer version made is
// daemon.Permanent.
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

// Pinger is a Kafka client that can tell whether a broker answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Kafka checks that a broker answers p.
func Kafka(ctx context.Context, p Pinger) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return p.Ping(ctx)
}
