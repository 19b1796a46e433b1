package wiring_test

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/gateway"
	"odastream/internal/test/pgtest"
	"odastream/internal/wiring"
	"odastream/schema"
	"odastream/stream"
)

// A caller that is told that an address is in use tries another one, with the same registry.
func TestAGatewayCanBeOpenedAtAnotherAddress(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := wiring.GatewayConfig{
		DatabaseURL: pgtest.Migrated(t), Addr: taken.Addr().String(), Entities: schema.Entities(), Kafka: stream.Config{Brokers: []string{"127.0.0.1:1"}},
		Gateway: gateway.Config{TopMax: 100, Timeout: time.Second, Connections: 1, Simple: 1, Medium: 1, Complex: 1},
	}
	reg, log := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	if _, err := wiring.OpenGateway(t.Context(), cfg, log, reg); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("OpenGateway at an address in use: %v, want EADDRINUSE", err)
	}
	cfg.Addr = "127.0.0.1:0"
	g, err := wiring.OpenGateway(t.Context(), cfg, log, reg)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
}
