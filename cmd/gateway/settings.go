package main

import (
	"context"

	"odastream/gateway"
	"odastream/internal/daemon"
	"odastream/internal/wiring"
	"odastream/stream"
)

// settings are the gateway's environment variables.
type settings struct {
	DatabaseURL string          `env:"DATABASE_URL,required" secret:"true" address:"postgres" help:"Postgres URL or DSN, version 15 or newer"`
	Addr        string          `env:"GATEWAY_ADDR" envDefault:"127.0.0.1:8090" help:"the public address"`
	Gateway     gateway.Config  `envPrefix:"GATEWAY_"`
	Entities    wiring.Entities `env:"ODA_ENTITIES" help:"comma-separated entity sets; default: all 50 less Almdel, Aktstykke, Debat, EUsag, Forslag"`
	Kafka       stream.Config   `envPrefix:"KAFKA_"`
	HTTPAddr    string          `env:"HTTP_ADDR" envDefault:"127.0.0.1:8082" emptyOK:"true" help:"address of /metrics /healthz /readyz /status; empty: off"`
	Log         daemon.Logging  `envPrefix:"LOG_"`
}

// open connects the gateway.
func (s *settings) open(ctx context.Context, env daemon.Env) (*wiring.Gateway, error) {
	return wiring.OpenGateway(ctx, wiring.GatewayConfig{
		DatabaseURL: s.DatabaseURL, Addr: s.Addr, Entities: s.Entities.OrDefault(), Kafka: s.Kafka, Gateway: s.Gateway,
	}, env.Log, env.Registry)
}

// Variables that the project's other programs know: a shared environment is no
// reason to warn.
func elsewhere() []string {
	return []string{"ODA_URL", "ODA_RATE", "ODA_CONCURRENCY", "ODA_TIMEOUT", "ODA_CONTACT"}
}
