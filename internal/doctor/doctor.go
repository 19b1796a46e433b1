// Package doctor looks for trouble in the database, in Kafka, at the source and in how
// far the programs are, and says for each finding what it means and what to do.
//
// Invariant: it changes nothing, and what it cannot check is a finding and does not
// stop the other checks.
//
// It knows nothing of who prints the findings. Package stream knows the topics' rules,
// and package oda the source's.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"odastream/internal/daemon"
	"odastream/oda"
	"odastream/stream"
)

// askWithin limits the time for the checks of one part once its servers answer.
const askWithin = 15 * time.Second

// Config says where to look.
type Config struct {
	DatabaseURL string // "": none is set
	Migrate     bool   // poller and sink apply the migrations themselves
	Kafka       stream.Config
	Source      oda.Config
	Entities    []string      // the entities that are copied
	IntervalMax time.Duration // the longest pause of the poller
	Group       string        // the sink's
	Full        bool          // ask the source about every entity set
}

// Part is one of the places that are checked.
type Part struct {
	Name  string // postgres, kafka, programs or source
	Where string // its address, without a password; "" for the programs
	look  func(context.Context, *slog.Logger) []oda.Finding
}

// Look returns the findings. It may wait until the place answers or a timeout ends.
func (p Part) Look(ctx context.Context, log *slog.Logger) []oda.Finding { return p.look(ctx, log) }

// Parts returns the places that cfg names, and the programs. The source comes last,
// since it takes longest.
func Parts(cfg Config) []Part {
	return []Part{
		{"postgres", daemon.Redact(cfg.DatabaseURL), cfg.postgres},
		{"kafka", strings.Join(cfg.Kafka.Brokers, ","), cfg.kafka},
		{"programs", "", cfg.programs},
		{"source", cfg.Source.Public(), cfg.source},
	}
}

// unreached returns the finding that a place could not be reached.
func unreached(name string, err error, means, remedy string) oda.Finding {
	return trouble(name, err.Error(), means, remedy)
}

// ok returns the finding that all is well.
func ok(name, seen, means string) oda.Finding {
	return oda.Finding{Name: name, Verdict: oda.VerdictOK, Seen: seen, Means: means}
}

// trouble returns the finding of what a person should mend.
func trouble(name, seen, means, remedy string) oda.Finding {
	return oda.Finding{Name: name, Verdict: oda.VerdictTrouble, Seen: seen, Means: means, Remedy: remedy}
}

// mostNames is how many names a line has.
const mostNames = 5

// some returns the first names, and how many more there are.
func some(names []string) string {
	text := strings.Join(names[:min(len(names), mostNames)], ", ")
	if more := len(names) - mostNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
