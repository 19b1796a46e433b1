package main

import (
	"context"

	"odastream/internal/daemon"
	"odastream/internal/wiring"
)

// open connects the poller as its settings say.
func (s *settings) open(ctx context.Context, env daemon.Env) (*wiring.Poller, error) {
	return wiring.OpenPoller(ctx, wiring.PollerConfig{
		DatabaseURL: s.DatabaseURL, Migrate: s.Migrate == "on",
		Kafka: s.Kafka, Source: s.Source, Capture: s.Capture, Entities: s.Entities.OrDefault(),
	}, env.Log, env.Registry)
}
