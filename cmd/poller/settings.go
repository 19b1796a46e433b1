package main

import (
	"errors"
	"slices"
	"strings"

	"odastream/capture"
	"odastream/internal/daemon"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// settings are the poller's environment variables.
type settings struct {
	DatabaseURL string         `env:"DATABASE_URL,required" secret:"true" help:"Postgres URL or DSN, version 15 or newer"`
	Migrate     string         `env:"MIGRATE" envDefault:"on" oneof:"on,off" help:"bring the database to this version's schema at the start"`
	Kafka       stream.Config  `envPrefix:"KAFKA_"`
	Source      oda.Config     `envPrefix:"ODA_"`
	Entities    entityList     `env:"ODA_ENTITIES" help:"comma-separated entity sets; default: all 50 less Almdel, Aktstykke, Debat, EUsag, Forslag"`
	Capture     capture.Config // POLL_ and SCAN_ by its tags
	HTTPAddr    string         `env:"HTTP_ADDR" envDefault:":8080" emptyOK:"true" help:"address of /metrics /healthz /readyz /status; empty: off"`
	Log         daemon.Logging `envPrefix:"LOG_"`
}

// entityList is a list of entity sets by any of their spellings. The zero value
// stands for all but the subsets of Sag.
type entityList []schema.Entity

// UnmarshalText implements encoding.TextUnmarshaler. Its error names every
// unknown entity with the nearest known ones.
func (l *entityList) UnmarshalText(text []byte) error {
	var unknown []error
	for name := range strings.SplitSeq(string(text), ",") {
		if strings.TrimSpace(name) == "" {
			continue
		}
		e, err := schema.Lookup(name)
		if err != nil {
			unknown = append(unknown, err)
			continue
		}
		if !slices.ContainsFunc(*l, func(have schema.Entity) bool { return have.Name == e.Name }) {
			*l = append(*l, e)
		}
	}
	slices.SortFunc(*l, func(a, b schema.Entity) int { return a.Order - b.Order })
	return errors.Join(unknown...)
}

// orDefault is the list, or all entities that are no subset of Sag.
func (l entityList) orDefault() []schema.Entity {
	if len(l) > 0 {
		return l
	}
	return slices.DeleteFunc(schema.Entities(), func(e schema.Entity) bool { return e.Subset })
}

// elsewhere are variables that the project's other programs know: a shared
// environment is no reason to warn.
func elsewhere() []string {
	return []string{
		"SINK_GROUP", "SINK_BATCH_ROWS", "SINK_BATCH_BYTES", "SINK_LINGER", "CACHE_GIN", "CACHE_TTL", "HISTORY_KEEP",
	}
}
