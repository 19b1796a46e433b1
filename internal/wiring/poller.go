package wiring

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/capture"
	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/daemon"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// PollerConfig says what a poller is connected to. Kafka.Source is taken from
// Source.URL.
type PollerConfig struct {
	DatabaseURL string
	Migrate     bool // bring the database to this version's schema first
	Kafka       stream.Config
	Source      oda.Config
	Capture     capture.Config
	Entities    []schema.Entity // in load order
}

// Poller is a capture.Poller with its connections. Close it after its Run or Once has
// returned.
type Poller struct {
	*capture.Poller
	pool      *pgxpool.Pool
	leases    *pgxpool.Pool
	publisher *stream.Publisher
	admin     *kgo.Client
	source    *oda.Client
}

// OpenPoller connects to Postgres, Kafka and the source, migrates the database, and
// builds the poller. An error that no retry can fix is daemon.Permanent.
// After an error it closes what it opened.
func OpenPoller(ctx context.Context, cfg PollerConfig, log *slog.Logger, reg prometheus.Registerer) (*Poller, error) {
	p := &Poller{}
	if err := p.open(ctx, cfg, log, reg); err != nil {
		p.Close()
		return nil, err
	}
	p.Poller = capture.New(cfg.Capture, cfg.Entities, capture.Parts{
		Source: p.source, Prober: p.source, Publisher: p.publisher, Topics: stream.NewTopics(p.admin, cfg.Kafka, log),
		Store: checkpoint.New(p.pool).WithLeasePool(p.leases), TopicName: cfg.Kafka.Topic, Workers: cfg.Source.Concurrency,
	}, log, reg)
	return p, nil
}

func (p *Poller) open(ctx context.Context, cfg PollerConfig, log *slog.Logger, reg prometheus.Registerer) (err error) {
	cfg.Kafka.Source = cfg.Source.URL
	tables := func(ctx context.Context) error {
		return connect.Tables(ctx, cfg.DatabaseURL, cfg.Migrate, log)
	}
	p.pool, err = connect.Postgres(ctx, cfg.DatabaseURL, func(pool *pgxpool.Config) { connect.Recheck(pool, log, tables) })
	if err != nil {
		return err
	}
	if err := tables(ctx); err != nil {
		return err
	}
	p.leases, err = connect.Postgres(ctx, cfg.DatabaseURL, func(pool *pgxpool.Config) {
		connect.Recheck(pool, log, tables)
		checkpoint.LeasePoolConfig(pool)
	})
	if err != nil {
		return err
	}
	if p.publisher, err = stream.NewPublisher(cfg.Kafka, log, reg); err != nil {
		return daemon.Permanent(err)
	}
	if p.admin, err = stream.NewClient(cfg.Kafka, log); err != nil {
		return daemon.Permanent(err)
	}
	if err := connect.Kafka(ctx, p.publisher); err != nil {
		return err
	}
	if p.source, err = oda.New(cfg.Source, log, reg); err != nil {
		return daemon.Permanent(err)
	}
	if err := p.source.Reachable(ctx); err != nil {
		return fmt.Errorf("reach the source: %w (ODA_URL says where it is)", err)
	}
	return nil
}

// Close closes all connections. Call it after Run, because it drops unacknowledged
// records. It may be called twice.
func (p *Poller) Close() {
	if p.source != nil {
		p.source.Close()
	}
	if p.admin != nil {
		p.admin.Close()
	}
	if p.publisher != nil {
		p.publisher.Close()
	}
	for _, pool := range []*pgxpool.Pool{p.leases, p.pool} {
		if pool != nil {
			pool.Close()
		}
	}
}
