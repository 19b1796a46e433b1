package main

import (
	"odastream/apply"
	"odastream/cache"
	"odastream/internal/daemon"
	"odastream/stream"
)

// settings are the sink's environment variables.
type settings struct {
	DatabaseURL string         `env:"DATABASE_URL,required" secret:"true" address:"postgres" help:"Postgres URL or DSN, version 15 or newer"`
	Migrate     string         `env:"MIGRATE" envDefault:"on" oneof:"on,off" help:"bring the database to this version's schema at the start"`
	Kafka       stream.Config  `envPrefix:"KAFKA_"`
	Sink        apply.Config   `envPrefix:"SINK_"`
	Cache       cache.Config   `envPrefix:"CACHE_"`
	History     cache.History  `envPrefix:"HISTORY_"`
	HTTPAddr    string         `env:"HTTP_ADDR" envDefault:"127.0.0.1:8081" emptyOK:"true" help:"address of /metrics /healthz /readyz /status; empty: off"`
	Log         daemon.Logging `envPrefix:"LOG_"`
}

// Variables that the project's other programs know: a shared environment is no
// reason to warn.
func elsewhere() []string {
	return []string{
		"POLL_INTERVAL", "POLL_INTERVAL_MAX", "POLL_OVERLAP", "POLL_LEASE",
		"ODA_URL", "ODA_ENTITIES", "ODA_RATE", "ODA_CONCURRENCY", "ODA_TIMEOUT", "ODA_CONTACT", "SCAN_EVERY",
	}
}
