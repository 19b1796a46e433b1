// Package doctor looks for trouble in the database, in Kafka and at the source, and
// says for each finding what it means and what to do.
//
// Invariant: it changes nothing, and what it cannot check is a finding and does not
// stop the other checks.
//
// It knows nothing of who prints the findings. Package stream knows the topics' rules,
// and package oda the source's.
package doctor

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"odastream/internal/daemon"
	"odastream/oda"
	"odastream/stream"
)

// askWithin limits the time for the checks of Postgres or Kafka once it answers.
const askWithin = 15 * time.Second

// Config says where to look.
type Config struct {
	DatabaseURL string // "": none is set
	Migrate     bool   // poller and sink apply the migrations themselves
	Kafka       stream.Config
	Source      oda.Config
	Entities    []string // the entities that are copied
	Full        bool     // ask the source about every entity set
}

// Part is one of the three places that are checked.
type Part struct {
	Name  string // postgres, kafka or source
	Where string // its address, without a password
	look  func(context.Context, *slog.Logger) []oda.Finding
}

// Look returns the findings. It may wait until the place answers or a timeout ends.
func (p Part) Look(ctx context.Context, log *slog.Logger) []oda.Finding { return p.look(ctx, log) }

// Parts returns the places that cfg names. The source comes last, since it takes
// longest.
func Parts(cfg Config) []Part {
	return []Part{
		{"postgres", daemon.Redact(cfg.DatabaseURL), cfg.postgres},
		{"kafka", strings.Join(cfg.Kafka.Brokers, ","), cfg.kafka},
		{"source", cfg.Source.Public(), cfg.source},
	}
}

// unreached returns the finding that a place could not be reached.
func unreached(name string, err error, means, remedy string) oda.Finding {
	return oda.Finding{Name: name, Verdict: oda.VerdictTrouble, Seen: err.Error(), Means: means, Remedy: remedy}
}
