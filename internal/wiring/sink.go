package wiring

import (
	"context"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/connect"
	"odastream/internal/daemon"
	"odastream/rebuild"
	"odastream/stream"
)

// SinkConfig says what a sink is connected to.
type SinkConfig struct {
	DatabaseURL string
	Migrate     bool // bring the database to this version's schema first
	Kafka       stream.Config
	Sink        apply.Config
	Cache       cache.Config
	History     cache.History
}

// Sink is an apply.Sink with its connections. Close it after its Run or Once has
// returned.
type Sink struct {
	*apply.Sink
	store     *cache.Store
	history   cache.History
	pool      *pgxpool.Pool
	publisher *stream.Publisher
	admin     *kgo.Client
}

// OpenSink connects to Postgres and Kafka, migrates the database, and builds the sink.
// An error that no retry can fix is daemon.Permanent. After an error it closes what it
// opened.
func OpenSink(ctx context.Context, cfg SinkConfig, log *slog.Logger, reg prometheus.Registerer) (*Sink, error) {
	s := &Sink{history: cfg.History}
	err := s.openPostgres(ctx, cfg, log)
	if err == nil {
		err = s.openKafka(ctx, cfg.Kafka, log, reg)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	topics := stream.NewTopics(s.admin, cfg.Kafka, log)
	s.Sink = apply.New(cfg.Sink, cfg.Kafka, apply.Parts{
		Store:       s.store,
		DeadLetters: apply.DeadLetterWriter{Publisher: s.publisher, Topics: topics, Kafka: cfg.Kafka},
		Rebuilder:   &rebuild.Rebuilder{Topics: topics, Kafka: cfg.Kafka, Store: s.store},
	}, log, reg)
	return s, nil
}

func (s *Sink) openPostgres(ctx context.Context, cfg SinkConfig, log *slog.Logger) error {
	tables := func(ctx context.Context) error {
		return connect.Tables(ctx, cfg.DatabaseURL, cfg.Migrate, log)
	}
	var err error
	s.pool, err = connect.Postgres(ctx, cfg.DatabaseURL, func(pool *pgxpool.Config) {
		connect.Recheck(pool, log, tables)
		cache.SinkPoolConfig(pool)
	})
	if err != nil {
		return err
	}
	s.store = cache.New(s.pool, cfg.Sink.Group, cfg.Cache, log)
	return tables(ctx)
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

// Run is apply.Sink.Run, with the upkeep of the cache at the same time.
func (s *Sink) Run(ctx context.Context) error {
	stop := s.startUpkeep(ctx)
	defer stop()
	return s.Sink.Run(ctx)
}

// startUpkeep runs cache.Store.RunUpkeep until ctx ends or stop is called; stop waits for its
// end.
func (s *Sink) startUpkeep(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.store.RunUpkeep(ctx, s.history) })
	return func() {
		cancel()
		wg.Wait()
	}
}

// Once is apply.Sink.Once, followed by one upkeep of the cache: with --once no daemon
// does it.
func (s *Sink) Once(ctx context.Context) error {
	if err := s.Sink.Once(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	return s.store.UpkeepOnce(ctx, s.history)
}

// Close closes all connections. It may be called twice.
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
