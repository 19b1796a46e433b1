package main

import (
	"odastream/capture"
	"odastream/internal/daemon"
	"odastream/internal/wiring"
	"odastream/oda"
	"odastream/stream"
)

// settings are the poller's environment variables.
type settings struct {
	DatabaseURL string          `env:"DATABASE_URL,required" secret:"true" address:"postgres" help:"Postgres URL or DSN, version 15 or newer"`
	Migrate     string          `env:"MIGRATE" envDefault:"on" oneof:"on,off" help:"bring the database to this version's schema at the start"`
	Kafka       stream.Config   `envPrefix:"KAFKA_"`
	Source      oda.Config      `envPrefix:"ODA_"`
	Entities    wiring.Entities `env:"ODA_ENTITIES" help:"comma-separated entity sets; default: all 50 less Almdel, Aktstykke, Debat, EUsag, Forslag"`
	Capture     capture.Config  // POLL_ and SCAN_ by its tags
	HTTPAddr    string          `env:"HTTP_ADDR" envDefault:"127.0.0.1:8080" emptyOK:"true" help:"address of /metrics /healthz /readyz /status; empty: off"`
	Log         daemon.Logging  `envPrefix:"LOG_"`
}

// elsewhere are variables that the project's other programs know: a shared
// environment is no reason to warn.
func elsewhere() []string {
	return []string{
		"SINK_GROUP", "SINK_BATCH_ROWS", "SINK_BATCH_BYTES", "SINK_LINGER", "CACHE_GIN", "CACHE_TTL", "HISTORY_KEEP",
	}
}
