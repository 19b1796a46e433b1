package cache

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"odastream/internal/test/faultproxy"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// heldBySilent are the locks of the sessions named silent that others would wait for. Of
// their own temporary tables they have locks for as long as their transaction lasts, and
// for the lock of the GIN index nobody waits.
const heldBySilent = `SELECT DISTINCT l.locktype, l.mode, COALESCE(c.relname, '') FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_class c ON c.oid = l.relation
WHERE a.datname = current_database() AND a.application_name = 'silent' AND l.granted
AND (l.locktype = 'advisory' AND l.classid::bigint << 32 | l.objid::bigint <> hashtextextended('odastream prepare', 0) OR l.locktype = 'relation' AND l.mode <> 'AccessShareLock' AND c.relpersistence <> 't')`

// A writer that falls silent at any byte of its work never holds a lock meanwhile. What
// ends a session that is idle in a transaction is switched off.
func TestASilentWriterLocksNothing(t *testing.T) {
	t.Parallel()
	calls := map[string]func(ctx context.Context, t *testing.T, s *Store, n int64) func(context.Context) error{
		"a batch": func(_ context.Context, t *testing.T, s *Store, n int64) func(context.Context) error {
			mustApply(t, s, sag(4*n, 10, `{"a":1}`), sag(4*n+1, 10, `{"a":1}`))
			return func(ctx context.Context) error {
				partition := schema.TopicPartition{Topic: "parliament-sag", Partition: int32(10 + n)}
				_, err := s.Apply(ctx, Batch{
					Records:     []Record{sag(4*n, 11, `{"a":2}`), sag(4*n+1, 11, ""), sag(4*n+2, 11, `{"a":1}`)},
					DeadLetters: []DeadLetter{{TopicPartition: partition, Offset: 1, Class: "decode", Error: "no JSON"}},
					Moves:       []Move{{partition, topic, schema.NoOffset, 7}},
				})
				return err
			}
		},
		"an offset is reset": func(_ context.Context, _ *testing.T, s *Store, n int64) func(context.Context) error {
			return func(ctx context.Context) error {
				partition := schema.TopicPartition{Topic: "parliament-sag", Partition: int32(10 + n)}
				return s.Reset(ctx, partition, schema.Position{}, schema.Position{TopicID: topic, Next: 7})
			}
		},
		"rows expire": func(_ context.Context, t *testing.T, s *Store, n int64) func(context.Context) error {
			mustApply(t, s, omtryk(n, 10, `{"a":1}`))
			lapse(t, s)
			return func(ctx context.Context) error { _, err := s.Expire(ctx); return err }
		},
		"a partition is made": func(_ context.Context, _ *testing.T, s *Store, n int64) func(context.Context) error {
			return func(ctx context.Context) error { return s.makePartition(ctx, fmt.Sprint("Ny", n)) }
		},
		"months are made and dropped": func(_ context.Context, _ *testing.T, s *Store, _ int64) func(context.Context) error {
			return func(ctx context.Context) error { return s.MaintainHistory(ctx, History{Keep: Keep(time.Hour)}) }
		},
		"views are described": func(_ context.Context, _ *testing.T, s *Store, _ int64) func(context.Context) error {
			return s.describe
		},
		"the GIN index is made": func(_ context.Context, t *testing.T, s *Store, n int64) func(context.Context) error {
			s.cfg.GIN = []string{"on", "off"}[n%2]
			return s.MaintainIndex
		},
		"dead letters are handled": func(_ context.Context, t *testing.T, s *Store, n int64) func(context.Context) error {
			partition := schema.TopicPartition{Topic: "parliament-sag", Partition: int32(10 + n)}
			l := DeadLetter{TopicPartition: partition, Offset: 1, Key: fmt.Sprint("Sag:", n), Class: "data", Error: "x", FailedAt: time.Now(), Seq: 1}
			if _, err := s.Apply(t.Context(), Batch{Records: []Record{sag(n, 5, `{}`)}, DeadLetters: []DeadLetter{l}}); err != nil {
				t.Fatal(err)
			}
			return func(ctx context.Context) error {
				if err := s.FailAgain(ctx, l); err != nil {
					return err
				}
				if _, err := s.MarkSuperseded(ctx); err != nil {
					return err
				}
				_, _, err := s.SetDeadLetterState(ctx, l.ID(), DeadLetterDiscarded)
				return err
			}
		},
		"a rebuild mends rows": func(_ context.Context, t *testing.T, s *Store, _ int64) func(context.Context) error {
			if _, err := s.Positions(t.Context()); err != nil {
				t.Fatal(err)
			}
			shadow := openShadow(t, s, false, ofTopic()...)
			return func(ctx context.Context) error {
				found, err := shadow.Compare(ctx, math.MinInt64, 100)
				if err == nil {
					_, err = shadow.Examine(ctx, append(found.Candidates, 77), true, nothingNew)
				}
				if err == nil {
					err = shadow.RenewOffsets(ctx)
				}
				return err
			}
		},
		"rows that the topic lacks are deleted": func(_ context.Context, t *testing.T, s *Store, _ int64) func(context.Context) error {
			shadow := openShadow(t, s, true, ofTopic()...)
			return func(ctx context.Context) error {
				_, err := shadow.DeleteAbsent(ctx, []int64{77}, nothingNew)
				return err
			}
		},
	}
	for claim, call := range calls {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newExpiring(t)
			applyAll(t, s, ofTopic()...)
			damage := func() {
				exec(t, s, `DELETE FROM parliamentary_data WHERE entity_type = 'Sag' AND entity_id = 2; DELETE FROM parliamentary_deleted WHERE entity_id = 77;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 77, '{}', 1) ON CONFLICT DO NOTHING`)
			}
			const steps = 16
			whole := 0
			for step := range int64(steps + 1) {
				damage()
				silent, proxy := throughProxy(t, s)
				do := call(t.Context(), t, silent, 100+step) // numbers of as many digits, so calls of as many bytes
				before := proxy.Sent()
				if step == 0 {
					if err := do(t.Context()); err != nil {
						t.Fatal(err)
					}
					whole = proxy.Sent() - before
					silent.pool.Close()
					continue
				}
				after := 1 + (whole-1)*int(step-1)/steps
				if step == steps { // within the last message, however short it is
					after = whole - 3
				}
				fallSilent(t, s, silent, proxy, do, after)
			}
		})
	}
}

// throughProxy returns a store whose sessions are named silent and pass through a proxy.
func throughProxy(t *testing.T, s *Store) (*Store, *faultproxy.Proxy) {
	t.Helper()
	address, proxy := pgtest.Proxied(t, s.pool.Config().ConnString(), map[string]string{
		"application_name": "silent", "idle_in_transaction_session_timeout": "600000", "pool_max_conns": "2",
	})
	silent := New(open(t, address), "test", s.cfg, quiet())
	if err := silent.CanWrite(t.Context()); err != nil {
		t.Fatal(err)
	}
	return silent, proxy
}

// fallSilent makes a call fall silent after so many bytes, and fails unless its sessions
// hold no lock soon.
func fallSilent(t *testing.T, s, silent *Store, proxy *faultproxy.Proxy, call func(context.Context) error, after int) {
	t.Helper()
	tripped := proxy.SilentAfter(after)
	ctx, cancel := context.WithCancel(t.Context())
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = call(ctx) // its end is not known to the writer
		done.Store(true)
	}()
	defer func() { proxy.Down(); cancel(); <-ended; silent.pool.Close() }()
	select {
	case <-tripped:
	case <-ended:
		return // it sent less than the time before
	}
	deadline := time.Now().Add(machine.AtLeast(5 * time.Second))
	<-time.After(50 * time.Millisecond) // for what the server has received
	for {
		held := pgtest.Lines(t, s.pool, heldBySilent)
		if held == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("silent after %d bytes, its sessions hold:\n%s", after, held)
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}
