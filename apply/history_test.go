package apply_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
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
	"odastream/stream"
)

// How many histories run, and which. envHistories is their number; envSeed replays the
// one of a failure. A replay has the same events in the same order, but not the same
// timing.
const (
	envHistories = "ODASTREAM_HISTORIES"
	envSeed      = "ODASTREAM_SEED"

	manyHistories = 40
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
	seeds := make(chan uint64)
	go func() {
		defer close(seeds)
		for _, seed := range drawSeeds(t) {
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

func drawSeeds(t *testing.T) (seeds []uint64) {
	t.Helper()
	if text := os.Getenv(envSeed); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Errorf("%s is %q, want a number", envSeed, text)
		}
		return []uint64{seed}
	}
	n := manyHistories
	if testing.Short() {
		n = fewHistories
	}
	if text := os.Getenv(envHistories); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Errorf("%s is %q, want a number", envHistories, text)
		}
	}
	first := rand.Uint64N(1e9)
	for i := range n {
		seeds = append(seeds, first+uint64(i))
	}
	return seeds
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
	ctx, enough := context.WithCancel(t.Context())
	seen := make(chan []checker.Look, 1)
	go func() { seen <- checker.Watch(ctx, w.pool, h.scope, machine.Stretch(3*time.Millisecond)) }()
	h.run()
	log := h.log()
	last, err := h.restore(log)
	h.close()
	enough()
	looks := append(<-seen, last)
	if err != nil {
		h.fail(seed, err.Error())
	}
	if len(looks) < 2 {
		t.Errorf("%d looks: the history was not watched", len(looks))
	}
	if os.Getenv(envSeed) != "" {
		t.Log(h.events)
	}
	if faults := checker.Judge(log, looks); len(faults) > 0 {
		h.fail(seed, fmt.Sprint(faults))
	}
}

func (h *sinkHistory) fail(seed uint64, why string) {
	h.t.Helper()
	h.t.Fatalf("%s\n\nevents:\n%s\n\n%s=%d replays it", why, h.events, envSeed, seed)
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

// log reads everything on the topics.
func (h *sinkHistory) log() *checker.Log {
	h.t.Helper()
	var all []checker.Record
	for _, entity := range historyEntities() {
		_, err := h.topics.ReadLog(h.t.Context(), entity, nil, func(records []*kgo.Record) error {
			for _, rec := range records {
				m, err := stream.Decode(rec)
				at := checker.Place{Partition: checker.Partition{Topic: rec.Topic, Number: rec.Partition}, Offset: rec.Offset}
				all = append(all, checker.RecordOf(at, m.Change, err))
			}
			return nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	if len(all) != h.records {
		h.t.Fatalf("%d records on the topics, %d were acknowledged", len(all), h.records)
	}
	return checker.NewLog(all)
}

func (h *sinkHistory) close() {
	for _, p := range h.sinks {
		p.kill()
	}
}
