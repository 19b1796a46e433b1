package cache

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
)

// logged is a log that a test reads while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// hold opens a transaction that runs sql, in a session named psql, and ends it with the
// returned function.
func hold(t *testing.T, s *Store, sql string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.pool.Config().ConnString()+"&application_name=psql")
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	t.Cleanup(release)
	if _, err := conn.Exec(t.Context(), "BEGIN; "+sql); err != nil {
		t.Fatal(err)
	}
	return release
}

// lockWaits is how many sessions of the database wait for a lock.
const lockWaits = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`

// A client that reads or writes for long holds up a change of the tables, and the change
// holds up nobody else for longer than its lock_timeout.
func TestAChangeOfTheTablesHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const (
		reads  = `SELECT count(*) FROM parliamentary_data`
		writes = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 99, '{}', 1)`
		months = `SELECT count(*) FROM parliamentary_history`
	)
	for claim, c := range map[string]struct {
		held   string // by a client
		before string // the GIN index's setting
		change func(*Store) error
	}{
		"the GIN index is dropped beside a reader":  {reads, "on", prepared("off")},
		"the GIN index is dropped beside a writer":  {writes, "on", prepared("off")},
		"the GIN index is created beside a writer":  {writes, "off", prepared("on")},
		"old months are dropped beside a reader":    {months, "off", func(s *Store) error { return s.MaintainHistory(context.Background(), History{Keep: Keep(time.Hour)}) }},
		"rows expire beside a batch that is frozen": {lockFrozen, "off", func(s *Store) error { _, err := s.Expire(context.Background()); return err }},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newExpiring(t)
			var log logged
			s.log, s.lockPause = slog.New(slog.NewTextHandler(&log, nil)), time.Second
			oldMonth(t, s)
			if err := prepared(c.before)(s); err != nil {
				t.Fatal(err)
			}
			release := hold(t, s, c.held)
			done := make(chan error, 1)
			go func() { done <- c.change(s) }()
			machine.Until(t, "the change to wait for the client", func() bool { return pgtest.Lines(t, s.pool, lockWaits) != "0" })
			for id := range int64(3) {
				otherGoesOn(t, s, id)
			}
			machine.Until(t, "the log to name the client", func() bool { return len(done) > 0 || strings.Contains(log.String(), " psql ") })
			if len(done) > 0 {
				t.Fatalf("the change was done beside the client: %v", <-done)
			}
			if strings.Contains(log.String(), "count(") || strings.Contains(log.String(), "INSERT") {
				t.Errorf("the log has the client's statement:\n%s", &log)
			}
			release()
			if err := machine.Recv(t, "the change after the client", done); err != nil {
				t.Errorf("the change after the client: %v", err)
			}
		})
	}
}

const lockFrozen = `SELECT pg_advisory_xact_lock_shared(` + expiryLock + `)`

func prepared(gin string) func(*Store) error {
	return func(s *Store) error {
		s.cfg.GIN = gin
		return s.MaintainIndex(context.Background())
	}
}

func oldMonth(t *testing.T, s *Store) {
	t.Helper()
	begin := time.Now().UTC().AddDate(0, 0, -100)
	begin = time.Date(begin.Year(), begin.Month(), 1, 0, 0, 0, 0, time.UTC)
	mustExec(t, s, fmt.Sprintf(`CREATE TABLE %s PARTITION OF parliamentary_history FOR VALUES FROM ('%s') TO ('%s')`,
		begin.Format("parliamentary_history_2006_01"), begin.Format(time.RFC3339), begin.AddDate(0, 1, 0).Format(time.RFC3339)))
}

// otherGoesOn reads and writes as another sink does, each within a few times the
// lock_timeout.
func otherGoesOn(t *testing.T, s *Store, id int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), machine.AtLeast(4*lockWithin))
	defer cancel()
	other := New(s.pool, "other", s.cfg, quiet())
	if _, err := other.Apply(ctx, Batch{Records: []Record{sag(id, time.Now().UnixMicro(), `{"a":1}`)}}); err != nil {
		t.Fatalf("Apply of another sink meanwhile: %v", err)
	}
	var n int
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM parliamentary_data, parliamentary_history`).Scan(&n); err != nil {
		t.Fatalf("read meanwhile: %v", err)
	}
}
