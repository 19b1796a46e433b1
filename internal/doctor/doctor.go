// Package doctor looks for trouble in the database, in Kafka and at the source, and
// says of each finding what it means and what to do.
//
// It keeps one invariant: it changes nothing, and what cannot be looked at is a
// finding and hides nothing of the rest.
//
// It knows nothing of who prints the findings. The topics' rules are stream's, and
// the source's are oda's.
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

// askWithin bounds the questions to Postgres or Kafka once it answers.
const askWithin = 15 * time.Second

// Config says where to look.
type Config struct {
	DatabaseURL string // "": none is set
	Migrate     bool   // poller and sink apply the migrations themselves
	Kafka       stream.Config
	Source      oda.Config
	Entities    []string // those that are copied
	Full        bool     // ask the source about every entity set
}

// Part is one of the three places that are looked at.
type Part struct {
	Name  string // postgres, kafka or source
	Where string // its address, without a password
	look  func(context.Context, *slog.Logger) []oda.Finding
}

// Look returns what was found. It takes a while: as long as the place takes to
// answer, or not to.
func (p Part) Look(ctx context.Context, log *slog.Logger) []oda.Finding { return p.look(ctx, log) }

// Parts are the places that cfg names. The source comes last, since it takes
// longest.
func Parts(cfg Config) []Part {
	return []Part{
		{"postgres", daemon.Redact(cfg.DatabaseURL), cfg.postgres},
		{"kafka", strings.Join(cfg.Kafka.Brokers, ","), cfg.kafka},
		{"source", cfg.Source.Public(), cfg.source},
	}
}

// unreached is the finding that something could not be looked at at all.
func unreached(name string, err error, means, remedy string) oda.Finding {
	return oda.Finding{Name: name, Verdict: oda.VerdictTrouble, Seen: err.Error(), Means: means, Remedy: remedy}
}
