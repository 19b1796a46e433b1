package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/capture"
	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/daemon"
	"odastream/oda"
	"odastream/stream"
)

// connections are what the poller stands on.
type connections struct {
	pool      *pgxpool.Pool
	publisher *stream.Publisher
	admin     *kgo.Client
	source    *oda.Client
}

// open reaches Postgres, Kafka and the source, and brings the database to its
// schema.
func open(ctx context.Context, set settings, env daemon.Env) (c *connections, err error) {
	c = &connections{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.pool, err = connect.Postgres(ctx, set.DatabaseURL, nil); err != nil {
		return c, err
	}
	if set.Migrate == "on" {
		if err := connect.Migrate(ctx, set.DatabaseURL, env.Log); err != nil {
			return c, err
		}
	}
	if c.publisher, err = stream.NewPublisher(set.Kafka, env.Log, env.Registry); err != nil {
		return c, daemon.Permanent(err)
	}
	if c.admin, err = stream.NewClient(set.Kafka, env.Log); err != nil {
		return c, daemon.Permanent(err)
	}
	if err := connect.Kafka(ctx, c.publisher); err != nil {
		return c, err
	}
	if c.source, err = oda.New(set.Source, env.Log, env.Registry); err != nil {
		return c, daemon.Permanent(err)
	}
	if err := c.source.Reachable(ctx); err != nil {
		return c, fmt.Errorf("reach the source: %w (ODA_URL says where it is)", err)
	}
	return c, nil
}

// poller builds the poller on what was opened.
func (c *connections) poller(set settings, env daemon.Env) *capture.Poller {
	return capture.New(set.Capture, set.Entities.orDefault(), capture.Parts{
		Source: c.source, Publisher: c.publisher, Topics: stream.NewTopics(c.admin, set.Kafka, env.Log),
		Store: checkpoint.New(c.pool), TopicName: set.Kafka.Topic, Workers: set.Source.Concurrency,
	}, env.Log, env.Registry)
}

func (c *connections) close() {
	if c.source != nil {
		c.source.Close()
	}
	if c.admin != nil {
		c.admin.Close()
	}
	if c.publisher != nil {
		c.publisher.Close()
	}
	if c.pool != nil {
		c.pool.Close()
	}
}
