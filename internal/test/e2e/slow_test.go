package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// The number of sinks, the number that is replaced at once, and how long each may run
// before it rests: a tenth of a core.
const (
	slowSinks    = 12
	slowReplaced = 4
	slowRuns     = 10 * time.Millisecond
	slowRests    = 90 * time.Millisecond
)

// slow is a rig whose sinks get a tenth of a core each.
type slow struct {
	*rig
	pub      *stream.Publisher
	adm      *kadm.Client
	sinks    []*throttledSink
	replaced []*program.Process
	seq      int64
	records  int64
	begun    time.Time
}

// throttledSink is a sink that is run and stopped in turn until it is released.
type throttledSink struct {
	*program.Process
	released, unthrottled chan struct{}
}

// Twelve sinks with the default settings and a tenth of a core each start together on all
// 135 partitions. Later a third of them is replaced. The group settles both times, and
// everything is applied.
func TestTwelveSlowSinksFinishTheirRebalances(t *testing.T) {
	t.Parallel()
	s := newSlow(t)
	s.publish(60)
	s.start(slowSinks)
	s.awaitStable("after the start")
	for range slowReplaced {
		s.replace()
	}
	s.publish(20)
	s.awaitStable("after a third was replaced")
	for _, sink := range s.sinks {
		sink.release()
	}
	for _, sink := range s.sinks {
		sink.Stop(t)
	}
	if rows := s.number(`SELECT count(*) FROM parliamentary_data`); rows != 60*int64(len(polled())) {
		t.Errorf("%d rows in the cache, want 60 of each of %d entities", rows, len(polled()))
	}
}

func newSlow(t *testing.T) *slow {
	t.Helper()
	s := &slow{rig: newRig(t, kafkatest.Real(t), odasim.Options{}, "CACHE_GIN=off", "GOMAXPROCS=1"), begun: time.Now(), seq: 1_795_445_400_000_000}
	s.must("odastream", "migrate")
	if err := s.topics.Ensure(t.Context(), polled()); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.pub, err = stream.NewPublisher(s.kafka, quiet(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pub.Close)
	s.adm = kadm.NewClient(s.client)
	return s
}

// publish writes a change of the first ids of each entity.
func (s *slow) publish(ids int64) {
	s.t.Helper()
	var changes []schema.Change
	for _, entity := range polled() {
		for id := range ids {
			s.seq++
			changes = append(changes, schema.Change{
				Entity: entity, ID: id + 1, Action: schema.Update, Seq: s.seq, Timestamp: time.UnixMicro(s.seq).UTC(), Origin: schema.OriginTail,
				Opdateringsdato: "2026-11-23T16:09:58.347", Data: fmt.Appendf(nil, `{"id":%d,"titel":"Version %d"}`, id+1, s.seq),
			})
		}
	}
	if _, err := s.pub.Publish(s.t.Context(), changes); err != nil {
		s.t.Fatalf("publish %d changes: %v", len(changes), err)
	}
	s.records += int64(len(changes))
}

func (s *slow) start(n int) {
	s.t.Helper()
	for range n {
		sink := &throttledSink{Process: program.Start(s.t, "sink", s.command("sink")), released: make(chan struct{}), unthrottled: make(chan struct{})}
		go sink.throttle()
		s.sinks = append(s.sinks, sink)
	}
}

// replace stops the sink that has run the longest, and starts another at once.
func (s *slow) replace() {
	s.t.Helper()
	old := s.sinks[0]
	s.sinks, s.replaced = s.sinks[1:], append(s.replaced, old.Process)
	old.Signal(syscall.SIGTERM)
	s.start(1)
}

// throttle stops the process for nine tenths of the time.
func (h *throttledSink) throttle() {
	defer close(h.unthrottled)
	for h.Running() {
		h.Signal(syscall.SIGSTOP)
		select {
		case <-time.After(slowRests):
		case <-h.released:
			h.Signal(syscall.SIGCONT)
			return
		}
		h.Signal(syscall.SIGCONT)
		<-time.After(slowRuns)
	}
}

// release lets the process run freely from now on.
func (h *throttledSink) release() {
	close(h.released)
	<-h.unthrottled
}

// awaitStable waits until everything is applied and the group is stable: each sink is a
// member, and each partition is assigned.
func (s *slow) awaitStable(when string) {
	s.t.Helper()
	began := time.Now()
	applied := func() int64 { return s.number(`SELECT sum(next_offset) FROM sink_offsets`) }
	var running []*program.Process
	for _, sink := range s.sinks {
		running = append(running, sink.Process)
	}
	wait := machine.Wait{For: "the sinks to apply everything " + when, Progress: func() any { return applied() }, Details: s.details}
	program.Await(s.t, wait, func() bool { return applied() >= s.records }, running...)
	s.t.Logf("%s everything was applied in %s", when, time.Since(began).Round(100*time.Millisecond))
	wait = machine.Wait{For: "the group to be stable " + when, Details: s.details}
	program.Await(s.t, wait, s.stable, running...)
	s.t.Logf("%s the group was stable after %s; %s", when, time.Since(began).Round(100*time.Millisecond), s.details())
}

// stable asks the broker whether the group is stable and the replaced sinks have left.
func (s *slow) stable() bool {
	if slices.ContainsFunc(s.replaced, (*program.Process).Running) {
		return false
	}
	groups, err := s.adm.DescribeGroups(s.t.Context(), s.kafka.TopicPrefix+"sink")
	if err != nil {
		return false
	}
	group := groups[s.kafka.TopicPrefix+"sink"]
	owned := 0
	for _, topic := range group.AssignedPartitions() {
		owned += len(topic)
	}
	return group.State == "Stable" && len(group.Members) == slowSinks && owned == 3*len(polled())
}

// details counts the sinks' log lines about trouble in the group.
func (s *slow) details() string {
	count := map[string]int{}
	processes := slices.Clone(s.replaced)
	for _, sink := range s.sinks {
		processes = append(processes, sink.Process)
	}
	for _, text := range []string{"partitions assigned", "partitions revoked", "start offsets not found", "UNKNOWN_MEMBER_ID", "another writer"} {
		for _, p := range processes {
			count[text] += p.CountOutput(text)
		}
	}
	var parts []string
	for _, text := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%q %d times", text, count[text]))
	}
	return fmt.Sprintf("machine's delay %s; %d records; the sinks logged %s", machine.Delay(), s.records, strings.Join(parts, ", "))
}
