package apply_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/test/faultproxy"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/stream"
)

// brokers are the fake one, for speed, and the real one, for proof.
func brokers() map[string]func(t *testing.T) []string {
	return map[string]func(t *testing.T) []string{
		"fake": func(t *testing.T) []string { t.Helper(); return kafkatest.Fake(t) },
		"real": func(t *testing.T) []string { t.Helper(); return kafkatest.Real(t) },
	}
}

func TestOnceAppliesEverythingUpToTheEnds(t *testing.T) {
	t.Parallel()
	for name, brokers := range brokers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, brokers(t), "Sag", "Aktør", "Stemme")
			r.publish(1500)
			reg := prometheus.NewRegistry()
			r.once(r.sink(r.url, r.config(), reg))
			if diff := r.differ(); diff != "" {
				t.Errorf("cache after Once: %s", diff)
			}
			if got := r.dead(); got != "" {
				t.Errorf("dead letters:\n%s", got)
			}
			if got := sum(t, reg, "odastream_sink_rows_total"); got < 1500 {
				t.Errorf("rows counted = %v, want one for each record, 1500 and the tombstones", got)
			}
			before := r.value("SELECT count(*) FROM sink_offsets")
			r.once(r.sink(r.url, r.config(), nil)) // nothing left to do
			if got := r.value("SELECT count(*) FROM sink_offsets"); got != before || before == "0" {
				t.Errorf("offsets stored = %s, then %s", before, got)
			}
			r.publish(200)
			r.once(r.sink(r.url, r.config(), nil))
			if diff := r.differ(); diff != "" {
				t.Errorf("cache after the next Once: %s", diff)
			}
		})
	}
}

func TestRunFollowsAndStops(t *testing.T) {
	t.Parallel()
	for name, brokers := range brokers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, brokers(t), "Sag", "Møde")
			r.publish(300)
			reg := prometheus.NewRegistry()
			s := r.sink(r.url, r.config(), reg)
			if ok, _ := s.Ready(); ok {
				t.Error("ready before it runs")
			}
			stop := r.run(s)
			r.awaitModel()
			for range 5 {
				r.publish(50)
				r.awaitModel()
			}
			// The tombstones behind the last deletes change no row.
			r.await("readiness without lag", func() bool { ok, _ := s.Ready(); return ok && s.Status().Lag == 0 })
			status := s.Status()
			if status.Lag != 0 || len(status.Topics) != 2 || status.Topics[0].AppliedAt == nil || len(status.Topics[0].Partitions) != 3 {
				t.Errorf("Status() = %+v, want two topics of three partitions without lag", status)
			}
			if got := sum(t, reg, "odastream_sink_delay_seconds"); got == 0 {
				t.Error("no delay was observed")
			}
			if err := stop(); err != nil {
				t.Errorf("Run ended with %v", err)
			}
			r.awaitCommitted()
		})
	}
}

// awaitCommitted waits until Kafka has the offsets of the database, for lag displays.
func (r *rig) awaitCommitted() {
	r.t.Helper()
	r.await("offsets committed to Kafka", func() bool {
		committed, err := r.adm.FetchOffsets(r.t.Context(), r.config().Group)
		if err != nil {
			r.t.Fatal(err)
		}
		store := cache.New(r.pool, r.config().Group, cache.Config{}, slog.New(slog.DiscardHandler))
		stored, err := store.Positions(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		for tp, p := range stored {
			if o, ok := committed.Lookup(tp.Topic, tp.Partition); !ok || o.At != p.Next {
				return false
			}
		}
		return len(stored) > 0
	})
}

func TestUndecodableRecordsAmongGoodOnesAreDeadLettered(t *testing.T) {
	t.Parallel()
	for name, brokers := range brokers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, brokers(t), "Sag", "Aktør")
			r.publish(100)
			bad := []string{
				at(r.produce("Sag", "Sag:1", "{not JSON"), "decode "),
				at(r.produce("Sag", "no key at all", "\x00\xff"), "decode "),
				at(r.produce("Aktør", "Aktør:1", `{"entity":"Aktør","id":2}`), "schema "),
			}
			r.publish(100)
			slices.Sort(bad)
			reg := prometheus.NewRegistry()
			r.once(r.sink(r.url, r.config(), reg))
			if diff := cmp.Diff(strings.Join(bad, "\n"), r.dead()); diff != "" {
				t.Errorf("dead_letters (-want +got):\n%s", diff)
			}
			if diff := r.differ(); diff != "" {
				t.Errorf("cache: %s", diff)
			}
			got := r.letters("Sag")
			slices.Sort(got)
			if diff := cmp.Diff([]string{"Sag:1 decode", "no key at all decode"}, got); diff != "" {
				t.Errorf("dead-letter topic of Sag (-want +got):\n%s", diff)
			}
			if got := sum(t, reg, "odastream_sink_dead_letters_total"); got != 3 {
				t.Errorf("dead letters counted = %v, want 3", got)
			}
			r.once(r.sink(r.url, r.config(), nil))
			if got := r.letters("Sag"); len(got) != 2 {
				t.Errorf("dead letters after another run = %v, want the same two", got)
			}
		})
	}
}

func TestAMissingDeadLetterTopicIsCreated(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag")
	if _, err := r.adm.CreateTopic(t.Context(), 1, 1, nil, r.kafka.Topic("Fremtid")); err != nil {
		t.Fatal(err)
	}
	bad := r.produce("Fremtid", "Fremtid:1", "[]")
	r.once(r.sink(r.url, r.config(), nil))
	if got := r.letters("Fremtid"); len(got) != 1 || !strings.HasPrefix(r.dead(), at(bad, "")) {
		t.Errorf("dead letters = %v and\n%s", got, r.dead())
	}
}

func TestRecordThatPostgresRefusesIsFoundAmongItsBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Møde")
	r.publish(60)
	r.seq++
	bad := r.produce("Sag", "Sag:5000", fmt.Sprintf(
		`{"entity":"Sag","id":5000,"action":"update","seq":%d,"timestamp":"2026-11-23T15:10:00.123456Z","opdateringsdato":null,"origin":"tail","data":{"id":5000,"titel":"a\u0000b"}}`, r.seq))
	r.publish(60)
	reg := prometheus.NewRegistry()
	r.once(r.sink(r.url, r.config(), reg))
	if got, want := r.dead(), at(bad, "data 22P05"); got != want {
		t.Errorf("dead_letters = %q, want %q", got, want)
	}
	if got, want := r.value(`SELECT seq::text FROM dead_letters`), strconv.FormatInt(r.seq-60, 10); got != want {
		t.Errorf("seq of the dead letter = %s, want that of its record, %s", got, want)
	}
	if diff := r.differ(); diff != "" {
		t.Errorf("cache: %s", diff)
	}
	if got := sum(t, reg, "odastream_sink_halved_batches_total"); got < 3 {
		t.Errorf("batches halved = %v, want a few", got)
	}
}

func TestStaleRecordChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag")
	r.publish(50)
	r.once(r.sink(r.url, r.config(), nil))
	for key := range r.rows {
		id := strings.TrimPrefix(key, "Sag:")
		r.produce("Sag", key, fmt.Sprintf(
			`{"entity":"Sag","id":%s,"action":"update","seq":5,"timestamp":"2020-11-23T15:10:00.123456Z","opdateringsdato":null,"origin":"scan","data":{"id":%s,"titel":"old"}}`, id, id))
	}
	reg := prometheus.NewRegistry()
	r.once(r.sink(r.url, r.config(), reg))
	if diff := r.differ(); diff != "" {
		t.Errorf("cache after stale records: %s", diff)
	}
	if got := sum(t, reg, "odastream_sink_rows_total", "stale"); got != float64(len(r.rows)) {
		t.Errorf("stale rows counted = %v, want %d", got, len(r.rows))
	}
}

// Invariant 6.
func TestOutageOfPostgresDeadLettersNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør")
	proxy := faultproxy.New(t, r.server())
	reg := prometheus.NewRegistry()
	s := r.sink(r.through(proxy.Addr()), r.config(), reg)
	stop := r.run(s)
	r.publish(200)
	r.awaitModel()
	for _, bytes := range []int{1, 3000, 20_000, 60_000} {
		tripped := proxy.DownAfter(bytes)
		for {
			r.publish(100)
			select {
			case <-tripped:
			default:
				continue
			}
			break
		}
		r.publish(500)
		r.await("the outage to show", func() bool {
			ok, detail := s.Ready()
			return !ok && detail.(apply.Status).Since != nil && sum(t, reg, "odastream_sink_outage") == 1
		})
		if err := proxy.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.awaitModel()
		r.await("readiness", func() bool { ok, _ := s.Ready(); return ok })
	}
	if got := r.dead(); got != "" {
		t.Errorf("dead letters of an outage:\n%s", got)
	}
	if err := stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

// gate is a store that applies, delays or refuses batches, as check decides.
type gate struct {
	store
	check func(ctx context.Context, b cache.Batch) error
}

func (g gate) Apply(ctx context.Context, b cache.Batch) (cache.Result, error) {
	if err := g.check(ctx, b); err != nil {
		return cache.Result{}, err
	}
	return g.store.Apply(ctx, b)
}

func (r *rig) store() *cache.Store {
	return cache.New(r.connect(r.url), r.config().Group, cache.Config{GIN: "off"}, slog.New(slog.DiscardHandler))
}

// A session that holds the lock of a topic's partition stops that topic: the others go on
// after the time for which a batch waits for a lock.
func TestALockedPartitionStopsNoOtherTopic(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør")
	locked, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = locked.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := locked.Exec(t.Context(), "SET idle_in_transaction_session_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	for partition := range r.kafka.Partitions {
		h := fnv.New64a()
		fmt.Fprintf(h, "odastream apply %s/%d", r.kafka.Topic("Sag"), partition)
		if _, err := locked.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1)", int64(h.Sum64())); err != nil {
			t.Fatal(err)
		}
	}
	r.publish(60)
	stop := r.run(r.sink(r.url, r.config(), nil))
	began := time.Now()
	r.await("the other topic to be applied", func() bool {
		return r.value("SELECT count(*) FROM sink_offsets WHERE topic = '"+r.kafka.Topic("Aktør")+"'") != "0"
	})
	if took, most := time.Since(began), machine.AtLeast(20*time.Second); took > most {
		t.Errorf("the other topic was applied after %s, want %s at most", took, most)
	}
	if got := r.value("SELECT count(*) FROM sink_offsets WHERE topic = '" + r.kafka.Topic("Sag") + "'"); got != "0" {
		t.Errorf("%s offsets of the locked topic are stored", got)
	}
	if err := locked.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.awaitModel()
	if err := stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func TestTroubleWithOneTopicPausesNoOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør", "Møde")
	locked, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = locked.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := locked.Exec(t.Context(), "LOCK TABLE parliamentary_data_sag IN SHARE MODE; SET idle_in_transaction_session_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	s := r.sink(r.url+"&statement_timeout=300", r.config(), reg)
	stop := r.run(s)
	for range 5 {
		r.publish(60)
	}
	others := func(rows map[string]string) map[string]string {
		got := map[string]string{}
		for key, data := range rows {
			if !strings.HasPrefix(key, "Sag:") {
				got[key] = data
			}
		}
		return got
	}
	r.await("the other topics to be applied", func() bool { return maps.Equal(others(r.normal()), others(r.table())) })
	r.await("the reason to show", func() bool {
		_, detail := s.Ready()
		for _, topic := range detail.(apply.Status).Topics {
			for _, p := range topic.Partitions {
				if p.Reason != "" && topic.Topic != r.kafka.Topic("Sag") {
					t.Errorf("partition %d of %s is paused: %s", p.Partition, topic.Topic, p.Reason)
				}
				if strings.Contains(p.Reason, "57014") {
					return sum(t, reg, "odastream_sink_paused_partitions") > 0
				}
			}
		}
		return false
	})
	r.publish(300) // while it is paused
	if err := locked.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.awaitModel()
	r.await("readiness", func() bool { ok, _ := s.Ready(); return ok })
	r.publish(100) // partitions are no longer paused
	r.awaitModel()
	if got := r.dead(); got != "" {
		t.Errorf("dead letters of a lock:\n%s", got)
	}
	if err := stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

// noDeadLetters is a dead-letter topic that cannot be written.
type noDeadLetters struct{}

func (noDeadLetters) DeadLetter(context.Context, ...stream.DeadLetter) error {
	return errors.New("no leader")
}

// Invariant 2: the offset does not pass a record whose dead letter is not acknowledged.
func TestOffsetWaitsForTheDeadLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør")
	bad := r.produce("Sag", "Sag:1", "{not JSON")
	r.publish(100)
	s := apply.New(r.config(), r.kafka, apply.Parts{Store: r.store(), DeadLetters: noDeadLetters{}}, slog.New(slog.DiscardHandler), nil)
	stop := r.run(s)
	r.await("the other topic to be applied", func() bool {
		return r.value("SELECT count(*) FROM parliamentary_data WHERE entity_type = 'Aktør'") != "0"
	})
	r.await("the reason to show", func() bool {
		for _, topic := range s.Status().Topics {
			for _, p := range topic.Partitions {
				if topic.Topic == bad.Topic && p.Partition == bad.Partition && strings.Contains(p.Reason, "no leader") {
					return true
				}
			}
		}
		return false
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	passed := r.value("SELECT count(*) FROM sink_offsets WHERE topic = $1 AND partition = $2 AND next_offset > $3", bad.Topic, bad.Partition, bad.Offset)
	if passed != "0" || r.dead() != "" {
		t.Errorf("the offset passed a record without a dead letter; dead_letters: %q", r.dead())
	}
	r.once(r.sink(r.url, r.config(), nil))
	if got := r.letters("Sag"); !slices.Equal(got, []string{"Sag:1 decode"}) {
		t.Errorf("dead letters once they are taken = %v", got)
	}
	r.awaitModel()
}

func TestMemoryIsBoundedWhileTheDatabaseIsSlow(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag")
	open := make(chan struct{})
	hold := gate{r.store(), func(ctx context.Context, _ cache.Batch) error {
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	cfg := r.config()
	cfg.BatchRows = 50
	reg := prometheus.NewRegistry()
	s := r.sinkOn(hold, cfg, reg)
	stop := r.run(s)
	for range 10 {
		r.publish(100)
	}
	r.await("all partitions", func() bool { st := s.Status(); return len(st.Topics) == 1 && len(st.Topics[0].Partitions) == 3 })
	if got := apply.Read(s); got > 4*cfg.BatchRows {
		t.Errorf("records taken in = %d, want at most four batches of %d", got, cfg.BatchRows)
	}
	close(open)
	r.awaitModel()
	if err := stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func TestTwoSinksShareAndOneTakesOver(t *testing.T) {
	t.Parallel()
	for name, brokers := range brokers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, brokers(t), "Sag", "Aktør", "Møde")
			one, two := prometheus.NewRegistry(), prometheus.NewRegistry()
			first, second := r.sink(r.url, r.config(), one), r.sink(r.url, r.config(), two)
			stopFirst, stopSecond := r.run(first), r.run(second)
			for sum(t, one, "odastream_sink_records_total") == 0 || sum(t, two, "odastream_sink_records_total") == 0 {
				r.publish(50)
				r.awaitModel()
			}
			if err := stopFirst(); err != nil {
				t.Errorf("Run of the first ended with %v", err)
			}
			r.publish(200)
			r.awaitModel()
			if owned := second.Status().Topics; len(owned) != 3 {
				t.Errorf("topics of the second after the first left = %d, want all 3", len(owned))
			}
			if err := stopSecond(); err != nil {
				t.Errorf("Run of the second ended with %v", err)
			}
			if got := r.dead(); got != "" {
				t.Errorf("dead letters:\n%s", got)
			}
		})
	}
}

// Another writer changes offsets while a batch is being written: two writers on the
// same partitions, which the group protocol cannot rule out.
func TestBatchIsDroppedIfAnotherWriterMovedItsOffset(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør")
	arrived, open := make(chan struct{}, 1), make(chan struct{})
	hold := gate{r.store(), func(context.Context, cache.Batch) error {
		select {
		case arrived <- struct{}{}:
		default:
		}
		<-open
		return nil
	}}
	reg := prometheus.NewRegistry()
	stop := r.run(r.sinkOn(hold, r.config(), reg))
	r.publish(300)
	<-arrived
	r.once(r.sink(r.url, r.config(), nil))
	r.publish(100)
	close(open)
	r.awaitModel()
	if sum(t, reg, "odastream_sink_moved_partitions_total") == 0 {
		t.Error("the two writers never met: the test has shown nothing")
	}
	r.publish(100)
	r.awaitModel()
	if err := stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

// A database restored from a backup has older rows and older offsets; the offset
// committed to Kafka stays.
func TestARestoredDatabaseCatchesUp(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		records   int // published after the restore
		lookEvery time.Duration
	}{
		"with the next records":   {200, time.Hour},
		"without any new records": {0, 100 * time.Millisecond},
	}
	for claim, c := range cases {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør")
			s := r.sink(r.url, r.config(), nil)
			apply.LookEvery(s, c.lookEvery)
			stop := r.run(s)
			r.publish(300)
			r.awaitModel()
			r.execBeside("TRUNCATE parliamentary_data, parliamentary_deleted, sink_offsets")
			if c.records > 0 {
				r.publish(c.records)
			}
			r.awaitModel()
			if err := stop(); err != nil {
				t.Errorf("Run ended with %v", err)
			}
		})
	}
}

func TestAuditFindsNothingWhileOffsetsStay(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør")
	reg := prometheus.NewRegistry()
	s := r.sink(r.url, r.config(), reg)
	apply.LookEvery(s, time.Millisecond)
	stop := r.run(s)
	for range 20 {
		r.publish(50)
		r.awaitModel()
	}
	if got := sum(t, reg, "odastream_sink_moved_partitions_total"); got != 0 {
		t.Errorf("partitions with a changed offset = %v, want none", got)
	}
	if err := stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func TestOnceNamesTopicsLeftBehind(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		topics []string // that cannot be applied
		away   bool     // the database as a whole
		want   []string
	}{
		"one topic":    {[]string{"Sag"}, false, []string{"Sag"}},
		"two topics":   {[]string{"Sag", "Møde"}, false, []string{"Møde", "Sag"}},
		"the database": {nil, true, []string{"Aktør", "Møde", "Sag"}},
	}
	for claim, c := range cases {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kafkatest.Fake(t), "Sag", "Aktør", "Møde")
			r.publish(300)
			proxy := faultproxy.New(t, r.server())
			inner := cache.New(r.connect(r.through(proxy.Addr())), r.config().Group, cache.Config{GIN: "off"}, slog.New(slog.DiscardHandler))
			refused := errors.New("tablespace is full")
			s := r.sinkOn(gate{inner, func(_ context.Context, b cache.Batch) error {
				if c.away {
					proxy.Down()
				}
				for _, m := range b.Moves {
					for _, entity := range c.topics {
						if m.Topic == r.kafka.Topic(entity) {
							return refused
						}
					}
				}
				return nil
			}}, r.config(), nil)
			apply.GiveUp(s, 500*time.Millisecond)
			err := s.Once(t.Context())
			var left *apply.LeftBehindError
			if !errors.As(err, &left) {
				t.Fatalf("Once = %v, want a *LeftBehindError", err)
			}
			var want []string
			for _, entity := range c.want {
				want = append(want, r.kafka.Topic(entity))
			}
			slices.Sort(left.Topics)
			slices.Sort(want)
			if diff := cmp.Diff(want, left.Topics); diff != "" {
				t.Errorf("topics left behind (-want +got):\n%s", diff)
			}
			if !c.away && !errors.Is(err, refused) {
				t.Errorf("Once = %v, want the cause in it", err)
			}
			if err := proxy.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.once(r.sink(r.url, r.config(), nil))
			if diff := r.differ(); diff != "" {
				t.Errorf("cache after another run: %s", diff)
			}
		})
	}
}

func TestStopLetsTheTransactionInFlightEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t), "Sag")
	arrived, open := make(chan struct{}, 10), make(chan struct{})
	s := r.sinkOn(gate{r.store(), func(ctx context.Context, _ cache.Batch) error {
		arrived <- struct{}{}
		<-open
		return ctx.Err()
	}}, r.config(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.publish(20)
	<-arrived
	cancel()
	close(open)
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want nil when told to stop", err)
	}
	if got := r.value("SELECT count(*) FROM sink_offsets"); got == "0" {
		t.Error("the transaction in flight was given up")
	}
}
