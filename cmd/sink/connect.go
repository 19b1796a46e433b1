package main

import (
	"context"

	"odastream/internal/daemon"
	"odastream/internal/wiring"
)

// open connects the sink as its settings say.
func (s *settings) open(ctx context.Context, env daemon.Env) (*wiring.Sink, error) {
	return wiring.OpenSink(ctx, wiring.SinkConfig{
		DatabaseURL: s.DatabaseURL, Migrate: s.Migrate == "on",
		Kafka: s.Kafka, Sink: s.Sink, Cache: s.Cache, History: s.History,
	}, env.Log, env.Registry)
}
