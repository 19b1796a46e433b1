package doctor

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/checkpoint"
	"odastream/oda"
)

// Topics compares the topics through a pool of the test's own.
func (cfg Config) Topics(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) ([]oda.Finding, error) {
	all, err := checkpoint.New(pool).Overview(ctx)
	return cfg.topics(ctx, pool, all, log), err
}
