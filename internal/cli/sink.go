package cli

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/apply"
	"odastream/cache"
	"odastream/stream"
)

// sinkSettings are the sink's settings that say where everything is and how it is
// written.
type sinkSettings struct {
	Kafka stream.Config `envPrefix:"KAFKA_"`
	Cache cache.Config  `envPrefix:"CACHE_"`
	Sink  apply.Config  `envPrefix:"SINK_"`
}

// sinkTarget is what a command works with that writes to the cache as the sink does.
type sinkTarget struct {
	sinkSettings
	pool  *pgxpool.Pool
	store *cache.Store
	log   *slog.Logger
}

// withSink reads the sink's settings, opens its database, and runs work until the first
// signal.
func (f *targetFlags) withSink(ctx context.Context, c call, level slog.Level, work func(context.Context, sinkTarget) error) error {
	var s sinkSettings
	to, err := f.read(c.environ, &s)
	if err != nil {
		return err
	}
	log := c.log(level)
	return c.untilStopped(ctx, log, func(ctx context.Context) error {
		pool, err := to.pool(ctx, nil)
		if err != nil {
			return err
		}
		defer pool.Close()
		return work(ctx, sinkTarget{s, pool, cache.New(pool, s.Sink.Group, s.Cache, log), log})
	})
}
