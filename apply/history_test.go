package apply_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/internal/test/checker"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/stand"
	"odastream/stream"
)

// How many histories run. envHistories is their number.
const (
	envHistories = "ODASTREAM_HISTORIES"

	manyHistories = 32
	fewHistories  = 16 // with -short
	worldsAtOnce  = 8
)

// Whatever happens to sinks, brokers and the database, in any order: no row is lost,
// duplicated or set back to an older version, no offset moves without its rows, and in
// the end everything is applied. docs/mutants.md lists the broken rules that it finds.
//
//	ODASTREAM_HISTORIES=5000 go test ./apply -run TestAnyHistoryOfSinksIsExactlyOnce -timeout 1h
//	ODASTREAM_SEED=17 go test ./apply -run TestAnyHistoryOfSinksIsExactlyOnce -v
func TestAnyHistoryOfSinksIsExactlyOnce(t *testing.T) {
	t.Parallel()
	if os.Getenv(envHistories) != "" { // else other tests run beside it, some with large records
		machine.WatchMemory(t, 640<<20)
	}
	n := manyHistories
	if testing.Short() {
		n = fewHistories
	}
	drawn, seeds := checker.Seeds(t, envHistories, n), make(chan uint64)
	go func() {
		defer close(seeds)
		for _, seed := range drawn {
			seeds <- seed
		}
	}()
	var worlds sync.WaitGroup
	for i := range worldsAtOnce { // on any number of processors: a history mostly waits
		worlds.Go(func() {
			t.Run(fmt.Sprintf("world %d", i+1), func(t *testing.T) {
				w := newSinkWorld(t)
				for seed := range seeds {
					t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { w.live(t, seed) })
				}
			})
		})
	}
	worlds.Wait()
}

// sinkWorld is a database that histories use one after the other, each with its own ids.
type sinkWorld struct {
	url    string
	pool   *pgxpool.Pool // for checks
	lived  int64
	ending *sync.WaitGroup
}

func newSinkWorld(t *testing.T) *sinkWorld {
	t.Helper()
	w := &sinkWorld{url: pgtest.Migrated(t), ending: &sync.WaitGroup{}}
	pool, err := pgxpool.New(context.Background(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	w.pool = pool
	t.Cleanup(func() { w.ending.Wait(); pool.Close() })
	return w
}

const idsOfHistory = 1000

// sinkHistory is one run of a group of sinks.
type sinkHistory struct {
	*sinkWorld
	t       *testing.T
	rand    *rand.Rand
	cfg     processConfig
	scope   checker.Scope
	broker  *kfake.Cluster
	dir     string // the broker's, if it can be restarted; else ""
	raw     *kgo.Client
	writer  *kgo.Client // writes what it likes
	pub     *stream.Publisher
	topics  *stream.Topics
	sinks   []*process
	author  *checker.Author
	records int
	booted  int
	events  *eventLog
}

func (w *sinkWorld) live(t *testing.T, seed uint64) {
	t.Helper()
	w.lived++
	h := &sinkHistory{sinkWorld: w, t: t, rand: rand.New(rand.NewPCG(seed, 0x51c)), events: &eventLog{begun: time.Now()}}
	h.scope = checker.Scope{
		FirstID: w.lived * idsOfHistory, LastID: w.lived*idsOfHistory + idsOfHistory - 1,
		TopicPrefix: fmt.Sprintf("h%d-", w.lived), Group: fmt.Sprintf("h%d-sink", w.lived),
	}
	h.author = &checker.Author{Rand: h.rand, Entities: historyEntities(), FirstID: h.scope.FirstID, IDs: 12, Seq: 1_795_445_400_000_000}
	h.open()
	watched := checker.Watch(t.Context(), w.pool, h.scope, machine.Scale(3*time.Millisecond))
	h.run()
	log := stand.Log(t, h.topics, h.cfg.kafka, h.records, historyEntities()...)
	last, err := h.restore(log)
	h.close()
	snapshots := append(watched(), last)
	if err != nil {
		h.fail(seed, err.Error())
	}
	if len(snapshots) < 2 {
		t.Errorf("%d snapshots: the history was not watched", len(snapshots))
	}
	if os.Getenv(checker.EnvSeed) != "" {
		t.Log(h.events)
	}
	if faults := checker.Judge(log, snapshots); len(faults) > 0 {
		h.fail(seed, fmt.Sprint(faults))
	}
}

func (h *sinkHistory) fail(seed uint64, why string) {
	h.t.Helper()
	h.t.Fatalf("%s\n\nevents:\n%s\n\n%s=%d replays it", why, h.events, checker.EnvSeed, seed)
}

func (h *sinkHistory) note(format string, args ...any) {
	fmt.Fprintf(h.events, "-- "+format+"\n", args...)
}

func (h *sinkHistory) open() {
	h.t.Helper()
	if h.rand.IntN(4) == 0 {
		h.dir = h.t.TempDir()
	}
	h.startBroker(0)
	h.t.Cleanup(func() { h.broker.Close() })
	quiet := slog.New(slog.DiscardHandler)
	h.cfg = processConfig{
		url:       h.url,
		kafka:     stream.Config{Brokers: h.broker.ListenAddrs(), TopicPrefix: h.scope.TopicPrefix, Partitions: 3},
		sink:      apply.Config{Group: h.scope.Group, BatchRows: 4 + h.rand.IntN(40), BatchBytes: 1 << 20, Linger: time.Duration(h.rand.IntN(20)) * time.Millisecond},
		lookEvery: time.Duration(20+h.rand.IntN(500)) * time.Millisecond,
	}
	var err error
	if h.raw, err = stream.NewClient(h.cfg.kafka, quiet); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(h.raw.Close)
	if h.writer, err = kgo.NewClient(
		kgo.SeedBrokers(h.cfg.kafka.Brokers...), kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()),
	); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(h.writer.Close)
	if h.pub, err = stream.NewPublisher(h.cfg.kafka, quiet, nil); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(h.pub.Close)
	h.topics = stream.NewTopics(h.raw, h.cfg.kafka, quiet)
	if err := h.topics.Ensure(h.t.Context(), historyEntities()); err != nil {
		h.t.Fatal(err)
	}
	h.cfg.letters = apply.DeadLetterWriter{Publisher: h.pub, Topics: h.topics, Kafka: h.cfg.kafka}
	h.note("batches of %d records or %s, offsets looked at every %s", h.cfg.sink.BatchRows, h.cfg.sink.Linger, h.cfg.lookEvery)
}

func historyEntities() []string { return []string{"Sag", "Stemme"} }

func (h *sinkHistory) startBroker(port int) {
	h.t.Helper()
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.DefaultNumPartitions(3), kfake.GroupMinSessionTimeout(shortSession), kfake.Ports(port),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "31536000000"}),
	}
	if h.dir != "" {
		opts = append(opts, kfake.DataDir(h.dir))
	}
	var err error
	if h.broker, err = kfake.NewCluster(opts...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *sinkHistory) close() {
	for _, p := range h.sinks {
		p.kill()
	}
}
