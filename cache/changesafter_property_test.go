package cache

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"odastream/internal/test/pgtest"
)

// crowd is some writers with a transaction each, and some readers of changes_after.
type crowd struct {
	tb      testing.TB
	store   *Store
	conns   []*pgx.Conn
	txs     []pgx.Tx
	readers []*follower
	before  [][]string // what was committed when each reader began
	seq     int64
}

func (c *crowd) committed() []string {
	return strings.Fields(pgtest.Lines(c.tb, c.store.pool, `SELECT entity_type || ':' || entity_id || ':' || seq FROM parliamentary_history`))
}

// step draws and does one thing.
func (c *crowd) step(r *rapid.T) {
	ctx := context.Background()
	w := rapid.IntRange(0, len(c.conns)-1).Draw(r, "writer")
	do := func(err error) {
		if err != nil {
			r.Fatal(err)
		}
	}
	switch what := rapid.SampledFrom([]string{"write", "write", "write", "write", "commit", "commit", "roll back", "savepoint", "read", "read", "read", "read", "join"}).Draw(r, "what"); what {
	case "write":
		if c.txs[w] == nil {
			tx, err := c.conns[w].Begin(ctx)
			do(err)
			c.txs[w] = tx
		}
		c.seq++ // Sinks write the seqs of several topics: they do not grow.
		_, err := c.txs[w].Exec(ctx, `INSERT INTO parliamentary_history (entity_type, entity_id, seq, action)
SELECT $1, i, $2, 'delete' FROM generate_series(1, $3) i`, rapid.SampledFrom([]string{"Sag", "Aktør"}).Draw(r, "entity"),
			rapid.Int64Range(1, 9).Draw(r, "seq")*1000+c.seq, rapid.IntRange(1, 3).Draw(r, "rows"))
		do(err)
	case "commit", "roll back":
		if c.txs[w] == nil {
			return
		}
		if what == "commit" {
			do(c.txs[w].Commit(ctx))
		} else {
			do(c.txs[w].Rollback(ctx))
		}
		c.txs[w] = nil
	case "savepoint":
		if c.txs[w] != nil {
			_, err := c.txs[w].Exec(ctx, `SAVEPOINT s`)
			do(err)
		}
	case "read":
		if len(c.readers) > 0 {
			_, err := rapid.SampledFrom(c.readers).Draw(r, "reader").page(ctx, c.store.pool, rapid.IntRange(1, 4).Draw(r, "max"))
			do(err)
		}
	case "join":
		c.join(r, rapid.SampledFrom([]string{"start", "now"}).Draw(r, "from"))
	}
}

func (c *crowd) join(r *rapid.T, from string) {
	f := &follower{cursor: from}
	var before []string
	if from == "now" {
		before = c.committed()
		if _, err := f.page(context.Background(), c.store.pool, 1); err != nil {
			r.Fatal(err)
		}
	}
	c.readers, c.before = append(c.readers, f), append(c.before, before)
}

// Writers begin, write, commit and roll back in any order, and readers read pages of any
// length meanwhile: each reader has each change that was committed after it began exactly
// once.
func TestChangesAfterAnyOrderOfCommits(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	c := crowd{tb: t, store: s}
	for range 4 {
		conn, err := pgx.ConnectConfig(t.Context(), s.pool.Config().ConnConfig.Copy())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		c.conns = append(c.conns, conn)
	}
	rapid.Check(t, func(r *rapid.T) {
		empty(t, s.pool)
		c.txs, c.readers, c.before = make([]pgx.Tx, len(c.conns)), nil, nil
		c.join(r, "start")
		defer c.rollBack()
		for range rapid.IntRange(5, 80).Draw(r, "steps") {
			c.step(r)
		}
		c.rollBack()
		for i, f := range c.readers {
			f.rest(t, s.pool)
			want := slices.DeleteFunc(c.committed(), func(change string) bool { return slices.Contains(c.before[i], change) })
			if diff := cmp.Diff(sorted(want), sorted(f.seen)); diff != "" {
				r.Fatalf("reader %d has not each change once (-want +got):\n%s", i, diff)
			}
		}
	})
}

// sorted has the changes in an order of their own, one a line.
func sorted(changes []string) string {
	return strings.Join(slices.Sorted(slices.Values(changes)), "\n")
}

func (c *crowd) rollBack() {
	for i, tx := range c.txs {
		if tx != nil {
			_ = tx.Rollback(context.Background())
			c.txs[i] = nil
		}
	}
}

// The same with writers and readers that really run at once.
func TestChangesAfterWritersAndReadersAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const writers, transactions, readers = 4, 60, 3
	done, ctx := make(chan struct{}), t.Context()
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := range transactions {
				err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
					for range rand.IntN(3) + 1 {
						if _, err := tx.Exec(ctx, `INSERT INTO parliamentary_history (entity_type, entity_id, seq, action)
SELECT 'Sag', $1, $2, 'delete' FROM pg_sleep($3)`, w, rand.Int64N(1e15), rand.Float64()/500); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("transaction %d of writer %d: %v", n, w, err)
				}
			}
		})
	}
	followers := make([]follower, readers)
	for i := range followers {
		followers[i].cursor = "start"
		reading.Go(func() {
			for ended := false; ; {
				page, err := followers[i].page(ctx, s.pool, rand.IntN(7)+1)
				if err != nil || ended && len(page) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				select {
				case <-done:
					ended = true
				default:
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	want := strings.Fields(pgtest.Lines(t, s.pool, `SELECT entity_type || ':' || entity_id || ':' || seq FROM parliamentary_history`))
	for i, f := range followers {
		if diff := cmp.Diff(sorted(want), sorted(f.seen)); diff != "" {
			t.Errorf("reader %d has not each change once (-want +got):\n%s", i, diff)
		}
	}
	t.Logf("%d changes of %d transactions", len(want), writers*transactions)
}
