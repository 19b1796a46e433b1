package capture

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/checkpoint"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// world is a simulated parliament, a fake Kafka and a real Postgres, and a poller
// between them that can be ended and started again at any moment.
type world struct {
	t        testing.TB
	sim      *odasim.Server
	source   source
	kafka    stream.Config
	client   *kgo.Client
	topics   *stream.Topics
	pool     *pgxpool.Pool
	store    *checkpoint.Store
	cfg      Config
	entities []schema.Entity
	prober   prober // nil: none
	quiet    bool   // nothing is logged
	workers  int    // ranges read at once; 0 is 4
	// The parts of a process can be wrapped, to end it at a step.
	wrapStore     func(store) store
	wrapPublisher func(publisher) publisher
}

// newWorld returns a world with an empty parliament of the given entities.
func newWorld(t testing.TB, o odasim.Options, entities ...string) *world {
	t.Helper()
	return newWorldOn(t, kafkatest.Fake(t), o, entities...)
}

func newWorldOn(t testing.TB, brokers []string, o odasim.Options, entities ...string) *world {
	t.Helper()
	w := &world{
		t: t, sim: odasim.New(o),
		kafka: stream.Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3},
		cfg:   Config{Interval: 10 * time.Millisecond, IntervalMax: 50 * time.Millisecond, Overlap: 10 * time.Minute, Lease: 2*stream.DeliveryTimeout + machine.AtLeast(5*time.Second)},
	}
	for _, name := range entities {
		e, err := schema.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		w.entities = append(w.entities, e)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.sim.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	client, err := oda.New(oda.Config{URL: server.URL + "/api", Concurrency: 16, Timeout: machine.AtLeast(20 * time.Second)}, w.logger(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.source = client
	if w.pool, err = pgxpool.New(t.Context(), pgtest.Migrated(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	w.store = checkpoint.New(w.pool)
	if w.client, err = stream.NewClient(w.kafka, w.logger()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.topics = stream.NewTopics(w.client, w.kafka, w.logger())
	return w
}

// anew empties the world: another parliament, other topics, an empty database.
func (w *world) anew(o odasim.Options) {
	w.t.Helper()
	w.sim = odasim.New(o)
	w.kafka.TopicPrefix = kafkatest.Prefix(w.t)
	w.wrapStore, w.wrapPublisher = nil, nil
	w.topics = stream.NewTopics(w.client, w.kafka, w.logger())
	w.exec(`DELETE FROM poller_leases; DELETE FROM poller_watermarks; DELETE FROM poller_ledger;
DELETE FROM poller_members; DELETE FROM poller_positions; DELETE FROM poller_scans; DELETE FROM poller_vanished; DELETE FROM poller_lateness`)
}

func (w *world) logger() *slog.Logger {
	return slog.New(hush{slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}), w})
}

// hush logs nothing while its world is quiet.
type hush struct {
	slog.Handler
	world *world
}

func (h hush) Enabled(ctx context.Context, level slog.Level) bool {
	return !h.world.quiet && h.Handler.Enabled(ctx, level)
}

func (h hush) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hush{h.Handler.WithAttrs(attrs), h.world}
}

// process returns a poller with its own producer, as a new process has. stop ends it
// abruptly, as SIGKILL does.
func (w *world) process() (p *Poller, stop func()) {
	w.t.Helper()
	pub, err := stream.NewPublisher(w.kafka, w.logger(), prometheus.NewRegistry())
	if err != nil {
		w.t.Fatal(err)
	}
	admin, err := stream.NewClient(w.kafka, w.logger())
	if err != nil {
		w.t.Fatal(err)
	}
	parts := Parts{
		Source: w.source, Publisher: pub, Topics: stream.NewTopics(admin, w.kafka, w.logger()), Store: w.store, Prober: w.prober, TopicName: w.kafka.Topic, Workers: cmp.Or(w.workers, 4),
	}
	if w.wrapStore != nil {
		parts.Store = w.wrapStore(parts.Store)
	}
	if w.wrapPublisher != nil {
		parts.Publisher = w.wrapPublisher(parts.Publisher)
	}
	stop = func() {
		pub.Close()
		admin.Close()
	}
	p = New(w.cfg, w.entities, parts, w.logger(), prometheus.NewRegistry())
	p.recheckDelay = time.Millisecond
	return p, stop
}

// once runs `poller --once` in a new process.
func (w *world) once() error {
	p, stop := w.process()
	defer stop()
	return p.Once(w.t.Context())
}

func (w *world) mustOnce() {
	w.t.Helper()
	if err := w.once(); err != nil {
		w.t.Fatalf("poller --once: %v", err)
	}
}

// expireLeases makes the leases of a killed process expire.
func (w *world) expireLeases() {
	w.t.Helper()
	w.exec(`UPDATE poller_leases SET expires_at = '-infinity'; DELETE FROM poller_members`)
}

// put puts a row with this id, text and stamp.
func (w *world) put(entity string, id int64, text, stamp string) {
	w.t.Helper()
	if err := w.sim.Put(entity, sagRow(id, text, stamp)); err != nil {
		w.t.Fatal(err)
	}
}

// sagRow returns a short row.
func sagRow(id int64, text, stamp string) []byte {
	return fmt.Appendf(nil, `{"id":%d,"titel":%q,"opdateringsdato":%q}`, id, text, stamp)
}

// messages returns the records of an entity's topic from its start.
func (w *world) messages(entity string) []stream.Message {
	w.t.Helper()
	var all []stream.Message
	_, err := w.topics.ReadLog(w.t.Context(), entity, nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			m, err := stream.Decode(rec)
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("read topic of %s: %v", entity, err)
	}
	return all
}

// changes returns the messages that are not tombstones.
func (w *world) changes(entity string) []schema.Change {
	w.t.Helper()
	var list []schema.Change
	for _, m := range w.messages(entity) {
		if !m.Tombstone {
			list = append(list, m.Change)
		}
	}
	return list
}

// changesOf returns those of one Sag, oldest first.
func (w *world) changesOf(id int64) []schema.Change {
	w.t.Helper()
	return slices.DeleteFunc(w.changes("Sag"), func(c schema.Change) bool { return c.ID != id })
}

// lastOf returns the last of them, the zero Change if there is none.
func (w *world) lastOf(id int64) (last schema.Change) {
	w.t.Helper()
	for _, c := range w.changesOf(id) {
		last = c
	}
	return last
}

// checkTopic fails the test unless the compacted topic equals the source, seq grows
// for each key, and no version of a row is on the topic twice in a row.
func (w *world) checkTopic(entity string) {
	w.t.Helper()
	last := map[int64]schema.Change{}
	for _, c := range w.changes(entity) {
		before, known := last[c.ID]
		if known && c.Seq <= before.Seq {
			w.t.Errorf("%s: seq %d after %d", c.Key(), c.Seq, before.Seq)
		}
		if known && c.Action != schema.Delete && before.Action != schema.Delete && w.hash(c) == w.hash(before) {
			w.t.Errorf("%s: the same content twice, seq %d and %d", c.Key(), before.Seq, c.Seq)
		}
		last[c.ID] = c
	}
	w.checkContent(entity, last)
}

func (w *world) checkContent(entity string, last map[int64]schema.Change) {
	w.t.Helper()
	rows := map[int64][]byte{}
	for _, data := range w.sim.Rows(entity) {
		id := rowID(w.t, data)
		rows[id] = data
		c, ok := last[id]
		if !ok || c.Action == schema.Delete {
			w.t.Errorf("%s is at the source, not on the topic", schema.Key(entity, id))
			continue
		}
		if want, err := schema.ContentHash(data); err != nil || want != w.hash(c) {
			w.t.Errorf("%s is %s on the topic, %s at the source (%v)", c.Key(), c.Data, data, err)
		}
	}
	for id, c := range last {
		if rows[id] == nil && c.Action != schema.Delete {
			w.t.Errorf("%s is on the topic, not at the source", c.Key())
		}
	}
}

func (w *world) hash(c schema.Change) schema.Hash {
	w.t.Helper()
	h, err := schema.ContentHash(c.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

func rowID(t testing.TB, data []byte) (id int64) {
	t.Helper()
	if _, err := fmt.Sscanf(string(data), `{"id":%d,`, &id); err != nil {
		t.Fatalf("row %s: %v", data, err)
	}
	return id
}

// atNoon returns a time of an ordinary day.
func atNoon() time.Time { return time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC) }

func stampAt(t time.Time) string { return odasim.Stamp(t) }

// follow runs a daemon until the test ends or stop is called.
func (w *world) follow() (p *Poller, stop func()) {
	w.t.Helper()
	p, closePublisher := w.process()
	end := w.run(p)
	return p, func() {
		end()
		closePublisher()
	}
}

// run runs p; stop ends it.
func (w *world) run(p *Poller) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("poller: %v", err)
		}
	}
}

// eventually waits until ok is true. what says what it waits for.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	machine.Until(w.t, what, ok)
}

// count returns the number that the query gives.
func (w *world) count(sql string) (n int64) {
	w.t.Helper()
	if err := w.pool.QueryRow(w.t.Context(), sql).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
