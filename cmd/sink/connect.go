package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/daemon"
	"odastream/internal/migrate"
	"odastream/stream"
)

// connectWithin bounds one try to reach Postgres, and one to reach Kafka.
const connectWithin = 10 * time.Second

// connections are what the sink stands on.
type connections struct {
	pool    *pgxpool.Pool
	pub     *stream.Publisher
	topics  func()
	store   *cache.Store
	letters apply.Letters
}

// connect reaches Postgres and Kafka, and brings the database to its schema.
func connect(ctx context.Context, set settings, env daemon.Env) (c connections, err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.pool, err = connectPostgres(ctx, set.DatabaseURL); err != nil {
		return c, err
	}
	if set.Migrate == "on" {
		if err := migrate.Up(ctx, set.DatabaseURL, env.Log); err != nil {
			return c, settled(err)
		}
	}
	c.store = cache.New(c.pool, set.Sink.Group, set.Cache, env.Log)
	if err := c.store.Prepare(ctx); err != nil {
		return c, err
	}
	return c, c.connectKafka(ctx, set, env)
}

// settled marks what only a person can mend.
func settled(err error) error {
	if errors.Is(err, migrate.ErrNewer) {
		return daemon.Permanent(err)
	}
	return err
}

func connectPostgres(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := cache.PoolConfig(url)
	if err != nil {
		return nil, daemon.Permanent(fmt.Errorf("DATABASE_URL: %w", err))
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		line := strings.Join(strings.Fields(err.Error()), " ") // pgx writes a line for each address
		return nil, fmt.Errorf("reach Postgres: %s (is it running? DATABASE_URL says where it is)", line)
	}
	return pool, nil
}

func (c *connections) connectKafka(ctx context.Context, set settings, env daemon.Env) (err error) {
	if c.pub, err = stream.NewPublisher(set.Kafka, env.Log, env.Registry); err != nil {
		return daemon.Permanent(err)
	}
	admin, err := stream.NewClient(set.Kafka, env.Log)
	if err != nil {
		return daemon.Permanent(err)
	}
	c.topics = admin.Close
	c.letters = apply.Letters{Publisher: c.pub, Topics: stream.NewTopics(admin, set.Kafka, env.Log), Kafka: set.Kafka}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	return c.pub.Ping(ctx)
}

func (c *connections) close() {
	if c.topics != nil {
		c.topics()
	}
	if c.pub != nil {
		c.pub.Close()
	}
	if c.pool != nil {
		c.pool.Close()
	}
}
