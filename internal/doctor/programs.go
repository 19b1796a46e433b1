package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/oda"
)

const (
	// clocksDiffer is how far a stored time may be ahead of our clock.
	clocksDiffer = 5 * time.Minute
	// restsFor is how long a poller that has the lease may save nothing, with two of its
	// longest pauses; awayFor is how long no poller may have the lease, so that poller
	// --once can run once a day.
	restsFor, awayFor = time.Hour, 26 * time.Hour
)

// programs checks how far poller and sink are by what they have stored. Without a
// database that can be read it finds nothing: the findings of postgres say why.
func (cfg Config) programs(ctx context.Context, log *slog.Logger) []oda.Finding {
	if cfg.DatabaseURL == "" {
		return nil
	}
	pool, err := connect.Postgres(ctx, cfg.DatabaseURL, nil)
	if err != nil {
		return nil
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*askWithin)
	defer cancel()
	all, err := checkpoint.New(pool).Overview(ctx)
	if err != nil {
		return nil
	}
	all = slices.DeleteFunc(all, func(o checkpoint.Overview) bool { return !slices.Contains(cfg.Entities, o.Entity) })
	slices.SortFunc(all, func(a, b checkpoint.Overview) int {
		return slices.Index(cfg.Entities, a.Entity) - slices.Index(cfg.Entities, b.Entity)
	})
	now := time.Now()
	found := []oda.Finding{cfg.following(all, now), watermarks(all, now), deletes(all), deadLetters(ctx, pool)}
	return append(found, cfg.topics(ctx, pool, all, log)...)
}

// following checks whether a poller works on each entity on which one has worked.
func (cfg Config) following(all []checkpoint.Overview, now time.Time) oda.Finding {
	var stuck, left, paused []string
	var oldest time.Time
	for _, o := range all {
		age := now.Sub(o.SavedAt)
		switch {
		case o.SavedAt.IsZero() || age < restsFor+2*cfg.IntervalMax:
			continue
		case o.Holder != "":
			stuck = append(stuck, o.Entity)
		case age >= awayFor:
			left = append(left, o.Entity)
		default:
			paused = append(paused, o.Entity)
		}
		if oldest.IsZero() || o.SavedAt.Before(oldest) {
			oldest = o.SavedAt
		}
	}
	seen := func(names []string) string {
		return fmt.Sprintf("nothing was saved since %s or later of %s", oldest.UTC().Format(time.RFC3339), some(names))
	}
	switch {
	case len(stuck) > 0:
		return trouble("poller", seen(stuck), "a poller has their leases and gets no further: what is new is not read", "see its /status and its log")
	case len(left) > 0:
		return trouble("poller", seen(left), "no poller works on them: what is new is not read", "start the poller")
	case len(paused) > 0:
		return oda.Finding{Name: "poller", Verdict: oda.VerdictNote, Seen: seen(paused), Means: "no poller works on them now"}
	}
	return ok("poller", fmt.Sprintf("%d entities have been worked on", len(all)), "none of them stands still")
}

// watermarks checks that none is in the future: the tail does not look for rows that are
// stamped before it.
func watermarks(all []checkpoint.Overview, now time.Time) oda.Finding {
	var ahead []string
	for _, o := range all {
		if o.Watermark.Sub(now) > clocksDiffer {
			ahead = append(ahead, fmt.Sprintf("%s at %s", o.Entity, o.Watermark.Format(time.RFC3339)))
		}
	}
	if len(ahead) == 0 {
		return ok("watermarks", "none is in the future", "the tail looks for what is stamped now")
	}
	return trouble("watermarks", "in the future: "+some(ahead), "a clock was ahead when they were saved; what was stamped while no poller ran is left to the scan",
		"check the clocks of this machine and of the poller's; then run odastream scan for these entities")
}

// deletes checks whether deletes wait for a person or for the next scan.
func deletes(all []checkpoint.Overview) oda.Finding {
	var waiting []string
	for _, o := range all {
		if o.Unresolved > 0 {
			waiting = append(waiting, fmt.Sprintf("%d rows of %s", o.Unresolved, o.Entity))
		}
	}
	if len(waiting) == 0 {
		return ok("deletes", "none is held back", "rows that vanish at the source are deleted")
	}
	return trouble("deletes", "held back: "+some(waiting), "these rows have vanished at the source, and stay on the topics and in the cache until a second scan agrees, or for good",
		"see whether they are gone at the source; if so, run odastream scan --confirm-deletes for these entities")
}

// deadLetters checks whether dead letters wait for a person.
func deadLetters(ctx context.Context, pool *pgxpool.Pool) oda.Finding {
	open, err := cache.NewReader(pool).OpenDeadLetters(ctx)
	if err != nil {
		return unreached("dead-letters", err, "they could not be counted", "give the database's user the right to read its tables")
	}
	if len(open) == 0 {
		return ok("dead-letters", "none is open", "every record could be applied")
	}
	var names []string
	for _, topic := range slices.Sorted(maps.Keys(open)) {
		names = append(names, fmt.Sprintf("%d of %s", open[topic], topic))
	}
	return trouble("dead-letters", "open: "+some(names), "these records could not be applied: the cache lacks what they say",
		"odastream dlq list and dlq show LETTER say why; then dlq retry or dlq discard")
}
