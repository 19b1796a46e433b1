package doctor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/internal/test/stand"
	"odastream/oda"
)

// before is a tracer that does something before the offsets of sinks are read.
type before func()

func (do before) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "FROM sink_offsets") {
		do()
	}
	return ctx
}

func (before) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A poller and a sink that work while doctor looks are no trouble: whatever moves between
// two of its readings, no offset is past its topic.
func TestWhoWorksMeanwhileIsNoTrouble(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	cfg := configOf(s)
	follow(t, s, &cfg)
	pool, err := session.Config(s.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	moved := false
	pool.ConnConfig.Tracer = before(func() {
		if !moved {
			moved = true
			exec(t, s.DatabaseURL, fmt.Sprintf(`UPDATE sink_offsets SET next_offset = next_offset + 1 WHERE partition = %d`, record(t, s, time.Now())))
		}
	})
	p, err := pgxpool.NewWithConfig(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	found, err := cfg.Topics(t.Context(), p, discard())
	if err != nil || !moved {
		t.Fatalf("the offsets were read: %v, %v", moved, err)
	}
	for _, f := range found {
		if f.Verdict == oda.VerdictTrouble {
			t.Errorf("%s: %s", f.Name, f.Seen)
		}
	}
}
