package wiring

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/connect"
	"odastream/internal/daemon"
	"odastream/stream"
)

// SinkConfig says what a sink is connected to.
type SinkConfig struct {
	DatabaseURL string
	Migrate     bool // bring the database to this version's schema first
	Kafka       stream.Config
	Sink        apply.Config
	Cache       cache.Config
}

// Sink is an apply.Sink with what it stands on. Close it after its Run or Once
// has returned.
type Sink struct {
	*apply.Sink
	pool      *pgxpool.Pool
	publisher *stream.Publisher
	admin     *kgo.Client
}

// OpenSink reaches Postgres and Kafka, brings the database to its schema, and
// builds the sink. An error that trying again cannot mend is daemon.Permanent;
// what was opened before an error is closed.
func OpenSink(ctx context.Context, cfg SinkConfig, log *slog.Logger, reg prometheus.Registerer) (*Sink, error) {
	s := &Sink{}
	store, err := s.openPostgres(ctx, cfg, log)
	if err == nil {
		err = s.openKafka(ctx, cfg.Kafka, log, reg)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	letters := apply.Letters{Publisher: s.publisher, Topics: stream.NewTopics(s.admin, cfg.Kafka, log), Kafka: cfg.Kafka}
	s.Sink = apply.New(cfg.Sink, cfg.Kafka, store, letters, log, reg)
	return s, nil
}

func (s *Sink) openPostgres(ctx context.Context, cfg SinkConfig, log *slog.Logger) (*cache.Store, error) {
	poolConfig, err := cache.PoolConfig(cfg.DatabaseURL)
	if err != nil {
		return nil, daemon.Permanent(fmt.Errorf("DATABASE_URL: %w", err))
	}
	if s.pool, err = connect.Pool(ctx, poolConfig); err != nil {
		return nil, err
	}
	if cfg.Migrate {
		if err := connect.Migrate(ctx, cfg.DatabaseURL, log); err != nil {
			return nil, err
		}
	}
	store := cache.New(s.pool, cfg.Sink.Group, cfg.Cache, log)
	return store, store.Prepare(ctx)
}

func (s *Sink) openKafka(ctx context.Context, cfg stream.Config, log *slog.Logger, reg prometheus.Registerer) (err error) {
	if s.publisher, err = stream.NewPublisher(cfg, log, reg); err != nil {
		return daemon.Permanent(err)
	}
	if s.admin, err = stream.NewClient(cfg, log); err != nil {
		return daemon.Permanent(err)
	}
	return connect.Kafka(ctx, s.publisher)
}

// Close gives up all connections. A second call is no error.
func (s *Sink) Close() {
	if s.admin != nil {
		s.admin.Close()
	}
	if s.publisher != nil {
		s.publisher.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
}
