package e2e

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/migrate"
	"odastream/internal/session"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// envLockHeld is how long each lock is held, such as 1m.
const envLockHeld = "ODASTREAM_LOCK_HELD"

// lockHeld is longer than any work waits for a lock in a try. Each world takes some twenty
// connections.
const (
	lockHeld     = 11 * time.Second
	worldsAtOnce = 5
	// retryAfter is the pause between two tries. Others get their locks meanwhile.
	retryAfter = 3 * time.Second
)

// locks are the locks of docs/architecture.md, by their names there, each with a statement
// that takes it in a transaction.
var locks = map[string]string{
	"a lease's row":                        `SELECT FROM poller_leases WHERE entity_type = 'Sag' FOR UPDATE`,
	"the table of leases":                  `LOCK poller_leases`,
	"a poller's announcement":              `SELECT FROM poller_members FOR UPDATE`,
	"a row of the poller's progress":       `SELECT FROM poller_watermarks WHERE entity_type = 'Sag' FOR UPDATE`,
	"a row of the ledger":                  `SELECT FROM poller_ledger WHERE entity_type = 'Sag' FOR UPDATE`,
	"a partition of a topic":               fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, partitionLock("parliament-sag", 0)),
	"the expiry, while a batch is written": `SELECT pg_advisory_xact_lock_shared(hashtextextended('odastream expiry', 0))`,
	"the expiry, while rows expire":        `SELECT pg_advisory_xact_lock(hashtextextended('odastream expiry', 0))`,
	"a stored offset":                      `SELECT FROM sink_offsets WHERE topic = 'parliament-sag' FOR UPDATE`,
	"a row of the cache":                   `SELECT FROM parliamentary_data WHERE entity_type = 'Sag' FOR UPDATE`,
	"a dead letter's row":                  `SELECT FROM dead_letters WHERE topic = 'parliament-sag' FOR UPDATE`,
	"the names of partitions":              `SELECT pg_advisory_xact_lock(hashtextextended('odastream parliamentary_data partitions', 0))`,
	"the history's months":                 `SELECT pg_advisory_xact_lock(hashtextextended('odastream parliamentary_history_ahead', 0))`,
	"the views' descriptions":              `SELECT pg_advisory_xact_lock(hashtextextended('odastream describe', 0))`,
	"the GIN index":                        `SELECT pg_advisory_xact_lock(hashtextextended('odastream prepare', 0))`,
	"the migrations":                       `SELECT pg_advisory_xact_lock(4097083626)`,
	"the cache, by a reader":               `SELECT count(*) FROM parliamentary_data`,
	"the cache, by a change of it":         `LOCK parliamentary_data`,
	"the history, by a reader":             `SELECT count(*) FROM parliamentary_history`,
	"the history, by a change of it":       `LOCK parliamentary_history`,
}

func partitionLock(topic string, partition int32) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "odastream apply %s/%d", topic, partition)
	return int64(h.Sum64())
}

// Each lock of docs/architecture.md is held by a session that does nothing else. Those
// that the document names stand still until it is free, and all others go on.
func TestWhoStandsStillAtALock(t *testing.T) {
	t.Parallel()
	held := lockHeld
	if text := os.Getenv(envLockHeld); text != "" {
		var err error
		if held, err = time.ParseDuration(text); err != nil || held < lockHeld {
			t.Fatalf("%s is %q, want a duration from %s on", envLockHeld, text, lockHeld)
		}
	}
	waiters := documentedLocks(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(locks)), slices.Sorted(maps.Keys(waiters))); diff != "" {
		t.Fatalf("the locks of docs/architecture.md (-test +document):\n%s", diff)
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(locks)), worldsAtOnce) {
		t.Run(strings.Join(some, ", "), func(t *testing.T) {
			worlds := map[string]*world{}
			for _, lock := range some {
				worlds[lock] = newWorld(t)
				worlds[lock].hold(t, locks[lock])
			}
			<-time.After(held)
			for lock, w := range worlds {
				w.await(t, "all but "+strings.Join(waiters[lock], ", ")+" to go on while somebody holds "+lock, len(waiters[lock]))
				if diff := cmp.Diff(waiters[lock], w.standing()); diff != "" {
					t.Errorf("who stands still while somebody holds %s (-document +seen):\n%s", lock, diff)
				}
			}
			for lock, w := range worlds {
				w.release()
				w.await(t, "all to go on once "+lock+" is free", 0)
			}
		})
	}
}

// documentedLocks returns who stands still at each lock, sorted, from the table of
// docs/architecture.md.
func documentedLocks(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| lock | who holds it, and for how long | who stands still |")
	if !found {
		t.Fatal("docs/architecture.md has no table of locks")
	}
	waiters := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if line != "\n" && len(cells) < 5 {
			break
		}
		if len(cells) < 5 || strings.HasPrefix(cells[1], "---") {
			if len(waiters) > 0 {
				break
			}
			continue
		}
		names := []string{}
		if who := strings.TrimSpace(cells[3]); who != "nobody" {
			names = strings.Split(who, ", ")
		}
		slices.Sort(names)
		waiters[strings.TrimSpace(cells[1])] = names
	}
	return waiters
}

// world is a database in which every kind of work of the programs can be done.
type world struct {
	url     string
	work    map[string]func(ctx context.Context) error
	release func() // the lock that is held

	mu   sync.Mutex
	done map[string]bool
}

const otherEntity = "Dokument"

var topicID = [16]byte{7}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{url: pgtest.Migrated(t), work: map[string]func(ctx context.Context) error{}, done: map[string]bool{}}
	w.addPoller(t)
	w.addSink(t)
	w.work["a program that migrates"] = func(ctx context.Context) error { return migrate.Up(ctx, w.url, quiet()) }
	reader := w.pool(t, func(*pgxpool.Config) {})
	for name, table := range map[string]string{"a reader": "parliamentary_data", "a reader of the history": "parliamentary_history"} {
		w.work[name] = func(ctx context.Context) error {
			var n int
			return reader.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&n)
		}
	}
	return w
}

func (w *world) pool(t *testing.T, configure func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := session.Config(w.url)
	if err != nil {
		t.Fatal(err)
	}
	configure(cfg)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (w *world) addPoller(t *testing.T) {
	t.Helper()
	store := checkpoint.New(w.pool(t, func(cfg *pgxpool.Config) { cfg.MaxConns = 4 })).WithLeasePool(w.pool(t, checkpoint.LeasePoolConfig))
	for entity, whose := range map[string]string{"Sag": "", otherEntity: " of another entity"} {
		lease, err := store.Acquire(t.Context(), entity, "holder", checkpoint.LongestLease)
		if err != nil {
			t.Fatal(err)
		}
		seq := int64(0)
		save := func(ctx context.Context) error {
			seq++
			return store.Save(ctx, lease, checkpoint.Progress{Entries: []checkpoint.Entry{{ID: 1, Seq: seq, State: checkpoint.Deleted}}, Seq: seq})
		}
		w.work["a save"+whose] = save
		w.work["a lease's renewal"+whose] = func(ctx context.Context) error {
			_, err := store.Renew(ctx, lease, checkpoint.LongestLease)
			return err
		}
		w.work["a request for a scan"+whose] = func(ctx context.Context) error { _, err := store.RequestScan(ctx, entity, false); return err }
		if err := save(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	announce := func(ctx context.Context) error { _, err := store.Announce(ctx, "holder", time.Minute); return err }
	w.work["an announcement"] = announce
	if err := announce(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) addSink(t *testing.T) {
	t.Helper()
	pool := w.pool(t, cache.SinkPoolConfig)
	store := cache.New(pool, "group", cache.Config{GIN: "off", TTL: cache.TTL{"Omtryk": time.Hour}}, quiet())
	for entity, whose := range map[string]string{"Sag": "", otherEntity: " of another topic"} {
		w.addBatches(t, store, entity, whose)
	}
	w.work["the partition of a new entity"] = func(ctx context.Context) error {
		_, err := store.Apply(ctx, cache.Batch{Records: []cache.Record{change("Ny", 1, 1)}})
		return err
	}
	w.work["the expiry"] = func(ctx context.Context) error { _, err := store.Expire(ctx); return err }
	w.work["the history's upkeep"] = func(ctx context.Context) error {
		return store.MaintainHistory(ctx, cache.History{Keep: cache.Keep(time.Hour)})
	}
	const due = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq, expires_at) VALUES ('Omtryk', 1, '{}', 1, now()); DROP TABLE `
	now := time.Now().UTC()
	month := func(ahead int) time.Time {
		return time.Date(now.Year(), now.Month()+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC)
	}
	const table = "parliamentary_history_2006_01"
	old := fmt.Sprintf(`; CREATE TABLE %s PARTITION OF parliamentary_history FOR VALUES FROM ('%s') TO ('%s')`,
		month(-4).Format(table), month(-4).Format(time.RFC3339), month(-3).Format(time.RFC3339))
	if _, err := pool.Exec(t.Context(), due+month(3).Format(table)+old); err != nil {
		t.Fatal(err)
	}
	on := cache.New(pool, "group", cache.Config{GIN: "on"}, quiet())
	if err := on.MaintainIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.work["the GIN index"] = store.MaintainIndex
}

func (w *world) addBatches(t *testing.T, store *cache.Store, entity, whose string) {
	t.Helper()
	tp := schema.TopicPartition{Topic: "parliament-" + schema.Suffix(entity)}
	seq, next := int64(0), int64(0)
	letter := cache.DeadLetter{TopicPartition: tp, Offset: 1, Key: entity + ":77", Class: "decode", Error: "no JSON", FailedAt: time.Now()}
	apply := func(ctx context.Context, dead ...cache.DeadLetter) error {
		seq++
		move := cache.Move{TopicPartition: tp, TopicID: topicID, From: next, To: next + 1}
		_, err := store.Apply(ctx, cache.Batch{Records: []cache.Record{change(entity, 1, seq)}, DeadLetters: dead, Moves: []cache.Move{move}})
		if err == nil {
			next++
		}
		return err
	}
	if err := apply(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	w.work["a batch"+whose] = func(ctx context.Context) error { return apply(ctx) }
	w.work["a dead letter's state"+whose] = func(ctx context.Context) error { return store.FailAgain(ctx, letter) }
	shadow, err := store.OpenShadow(t.Context(), cache.ShadowTopic{Entity: entity, Topic: tp.Topic, TopicID: topicID, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shadow.Close)
	w.work["a rebuild"+whose] = func(ctx context.Context) error {
		_, err := shadow.Examine(ctx, []int64{99}, true, func(context.Context) error { return nil })
		return err
	}
}

func change(entity string, id, seq int64) cache.Record {
	return cache.Record{
		TopicPartition: schema.TopicPartition{Topic: "parliament-" + schema.Suffix(entity)}, Offset: seq,
		Change: schema.Change{Entity: entity, ID: id, Seq: seq, Action: schema.Update, Data: fmt.Appendf(nil, `{"id":%d,"seq":%d}`, id, seq)},
	}
}

// hold holds a lock and starts all kinds of work. Each is tried again and again, as the
// programs do, until it is done once.
func (w *world) hold(t *testing.T, lock string) {
	t.Helper()
	holder, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	w.release = func() { _ = holder.Close(context.WithoutCancel(t.Context())) }
	if _, err := holder.Exec(t.Context(), "BEGIN; "+lock); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	t.Cleanup(func() { w.release(); cancel(); all.Wait() })
	for name, do := range w.work {
		all.Go(func() {
			for ctx.Err() == nil && do(ctx) != nil {
				<-time.After(retryAfter)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.done[name] = ctx.Err() == nil
		})
	}
}

// await waits until at most so many kinds of work are not done.
func (w *world) await(t *testing.T, what string, most int) {
	t.Helper()
	machine.Wait{
		For: what, Progress: func() any { return len(w.standing()) }, Details: func() string { return fmt.Sprint(w.standing()) },
	}.Until(t, func() bool { return len(w.standing()) <= most })
}

// standing returns the kinds of work that are not done, sorted.
func (w *world) standing() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	still := []string{}
	for name := range w.work {
		if !w.done[name] {
			still = append(still, name)
		}
	}
	slices.Sort(still)
	return still
}
