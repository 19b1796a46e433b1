package wiring

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"odastream/gateway"
	"odastream/internal/connect"
	"odastream/internal/httpserver"
	"odastream/query"
	"odastream/schema"
	"odastream/stream"
)

// GatewayConfig says what a gateway reads and where it answers.
type GatewayConfig struct {
	DatabaseURL string
	Addr        string // where it listens
	Entities    []schema.Entity
	Kafka       stream.Config
	Gateway     gateway.Config
}

// publicLimits are those of the public address. Subscribers set their own times.
var publicLimits = httpserver.Limits{
	Header: 5 * time.Second, Read: 10 * time.Second, Write: time.Minute, Idle: 75 * time.Second,
	HeaderBytes: 64 << 10, Connections: 4096,
}

// finishWithin is how long what is in flight may take at the end: a daemon has 10 s.
const finishWithin = 8 * time.Second

// Gateway is a gateway.Gateway that listens. Close it after its Run has returned.
type Gateway struct {
	*gateway.Gateway
	pool     *pgxpool.Pool
	hub      *stream.Hub
	server   *http.Server
	listener net.Listener
}

// OpenGateway connects to Postgres and listens. It migrates nothing: a gateway may only
// be allowed to read. After an error it closes what it opened.
func OpenGateway(ctx context.Context, cfg GatewayConfig, log *slog.Logger, reg prometheus.Registerer) (_ *Gateway, err error) {
	g := &Gateway{}
	defer func() {
		if err != nil {
			g.Close()
		}
	}()
	// First, so that a caller can try another address: nothing is registered yet.
	g.listener, err = httpserver.Listen(ctx, "GATEWAY_ADDR", cfg.Addr)
	if err != nil {
		return nil, err
	}
	g.pool, err = connect.Postgres(ctx, cfg.DatabaseURL, func(pool *pgxpool.Config) {
		query.PoolConfig(pool, cfg.Gateway.Connections, cfg.Gateway.Timeout)
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(cfg.Entities))
	for i, e := range cfg.Entities {
		names[i] = e.Name
	}
	if g.hub, err = stream.NewHub(cfg.Kafka, names, log, reg); err != nil {
		return nil, err
	}
	g.Gateway, err = gateway.New(cfg.Gateway, gateway.Parts{
		Copy: query.NewReader(g.pool), Entities: cfg.Entities, TopicOf: cfg.Kafka.Topic, Hub: g.hub, Log: log, Registry: reg,
	})
	if err != nil {
		return nil, err
	}
	g.server = httpserver.New(g.Gateway, publicLimits, log)
	log.InfoContext(ctx, "answering", "addr", g.Addr(), "paths", "/api")
	return g, nil
}

// Addr returns the address that the gateway listens on.
func (g *Gateway) Addr() string { return g.listener.Addr().String() }

// Run answers until ctx ends, and then finishes what is in flight.
func (g *Gateway) Run(ctx context.Context) error {
	fresh := make(chan error, 1)
	go func() { fresh <- g.Gateway.Run(ctx) }()
	served := make(chan error, 1)
	go func() { served <- g.server.Serve(g.listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	httpserver.Close(ctx, g.server, finishWithin)
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-fresh
}

// Close closes all connections. It may be called twice.
func (g *Gateway) Close() {
	if g.listener != nil {
		_ = g.listener.Close() // Run may have
	}
	if g.pool != nil {
		g.pool.Close()
	}
	if g.hub != nil {
		g.hub.Close()
	}
}
