package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"odastream/internal/test/checker"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/odasim"
	"odastream/verify"
)

// The length of the soak and its seed. The length does not include the first load and the
// settling at the end.
const (
	envSoak     = "ODASTREAM_SOAK"
	soakLength  = 30 * time.Second
	soakKillsIn = 20 * time.Second // on average, in a soak of half an hour or more
	soakKills   = 12               // at least, in a shorter one
	soakFreezes = 3                // one of so many kills is a freeze instead
)

// A live parliament spoils one request in a hundred in each of eight ways, and shows one
// row in twenty late. Two pollers and two sinks follow it through a real Kafka into a
// real Postgres, and every 20 seconds one of the four is killed, or is stopped for longer
// than a lease. In the end nothing is missing, extra or different.
//
//	ODASTREAM_SOAK=1h go test ./internal/test/e2e -run TestSoak -v -timeout 2h
//	ODASTREAM_SOAK=5m ODASTREAM_SEED=17 go test ./internal/test/e2e -run TestSoak -v
func TestSoak(t *testing.T) {
	t.Parallel()
	length, seed := soakSettings(t)
	s := newSoak(t, length, seed)
	t.Logf("seed %d, %s, a kill or a freeze every %s on average", seed, length, s.killEvery)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s=%d %s=%s replays it", checker.EnvSeed, seed, envSoak, length)
		}
	})
	s.start()
	s.awaitLoaded()
	s.work()
	s.awaitConsistent()
	t.Log(s.summary())
	if len(s.kills) == 0 || len(s.freezes) == 0 {
		t.Error("nothing was killed, or nothing was frozen: the test shows nothing")
	}
	s.verify()
	s.checkCopy()
	if got := s.number(`SELECT count(*) FROM dead_letters`); got > 0 {
		t.Errorf("%d dead letters, though no row of the parliament is bad", got)
	}
	for _, p := range s.processes {
		p.Stop(t)
	}
}

func soakSettings(t *testing.T) (length time.Duration, seed uint64) {
	t.Helper()
	length, seed = soakLength, checker.Seeds(t, "", 1)[0]
	var err error
	if text := os.Getenv(envSoak); text != "" {
		if length, err = time.ParseDuration(text); err != nil || length <= 0 {
			t.Fatalf("%s is %q, want a length as 1h", envSoak, text)
		}
	}
	return length, seed
}

// soak is a rig whose programs are killed and started again.
type soak struct {
	*rig
	rand      *rand.Rand
	seed      uint64
	length    time.Duration
	killEvery time.Duration
	strikes   int
	timeout   time.Duration // of a request; a stalled answer takes longer
	processes []*soakProcess
	kills     map[string]int
	freezes   map[string]int
	frozen    sync.WaitGroup // the processes that are stopped
	ended     time.Time      // when the parliament's last event had happened
}

// soakProcess is one of the four programs; it is started many times.
type soakProcess struct {
	*program.Process
	name string
}

// soakLate is how long after its stamp a late row becomes visible: longer than the
// shortest look-back, and sometimes longer than a poller's overlap.
const soakLate = 8 * time.Second

func newSoak(t *testing.T, length time.Duration, seed uint64) *soak {
	t.Helper()
	brokers := kafkatest.Real(t)
	s := &soak{
		rand: rand.New(rand.NewPCG(seed, 0x50a)), seed: seed, length: length, kills: map[string]int{}, freezes: map[string]int{},
		killEvery: min(soakKillsIn, length/soakKills), timeout: machine.AtLeast(3 * time.Second),
	}
	s.rig = newRig(t, brokers, odasim.Options{},
		"ODA_TIMEOUT="+s.timeout.String(), "POLL_INTERVAL=500ms", "POLL_INTERVAL_MAX=5s", "POLL_OVERLAP=5s", "SCAN_EVERY=20s",
		"SINK_LINGER=50ms", "SINK_BATCH_ROWS=500", "CACHE_GIN=off")
	s.sim.Generate(seed, 0.2)
	return s
}

func (s *soak) start() {
	for _, name := range []string{"poller", "poller", "sink", "sink"} {
		p := &soakProcess{name: name}
		s.processes = append(s.processes, p)
		s.run(p)
	}
}

// run starts a process.
func (s *soak) run(p *soakProcess) {
	s.t.Helper()
	p.Process = program.Start(s.t, p.name, s.command(p.name))
}

// freeze stops a process for longer than a lease lasts. It may be killed meanwhile.
func (s *soak) freeze(p *soakProcess) {
	s.freezes[p.name]++
	frozen, long := p.Process, rigLease+time.Duration(1+s.rand.IntN(6))*time.Second
	frozen.Signal(syscall.SIGSTOP)
	s.frozen.Go(func() {
		<-time.After(long)
		frozen.Signal(syscall.SIGCONT)
	})
}

func (s *soak) kill(p *soakProcess) {
	s.t.Helper()
	s.kills[p.name]++
	if !p.Kill(s.t) {
		s.t.Errorf("ended by itself: %s", p)
	}
	s.run(p)
}

// await waits until done is true, while all four processes run. Moved returns a value
// that changes with each step.
func (s *soak) await(what string, progress func() int64, done func() bool) {
	s.t.Helper()
	var running []*program.Process
	for _, p := range s.processes {
		running = append(running, p.Process)
	}
	program.Await(s.t, machine.Wait{For: what, Progress: func() any { return progress() }, Details: s.summary}, done, running...)
}

func (s *soak) awaitLoaded() {
	s.t.Helper()
	s.await("the first load", s.saved, func() bool {
		return s.number(`SELECT count(*) FROM poller_watermarks WHERE loaded_at IS NOT NULL`) >= int64(len(polled()))
	})
}

// work runs the parliament, spoils its answers, and kills programs.
func (s *soak) work() {
	s.t.Helper()
	const rate = 0.01
	s.sim.SetFaults(odasim.Faults{
		Seed: s.seed, Jitter: 20 * time.Millisecond, ErrorRate: rate, ErrorBurst: 3, HTMLRate: rate, TruncateRate: rate, ResetRate: rate,
		StallRate: rate, Stall: s.timeout * 5 / 3, UnfilteredRate: rate, DisorderRate: rate, ShortRate: rate,
	})
	ctx, cancel := context.WithTimeout(s.t.Context(), s.length)
	defer cancel()
	worked := make(chan struct{})
	go func() {
		s.sim.Live(ctx, odasim.Pace{Every: 100 * time.Millisecond, Late: soakLate})
		close(worked)
	}()
	report := time.NewTicker(max(s.length/10, 30*time.Second))
	defer report.Stop()
	began := time.Now()
	for ctx.Err() == nil {
		kill := time.NewTimer(time.Duration(s.rand.ExpFloat64() * float64(s.killEvery)))
		select {
		case <-ctx.Done():
		case <-report.C:
			s.t.Logf("after %s: %s", time.Since(began).Round(time.Second), s.summary())
		case <-kill.C:
			s.strike(s.processes[s.rand.IntN(len(s.processes))])
		}
		kill.Stop()
	}
	<-worked
	s.frozen.Wait()
}

// strike kills a process, or freezes it every few times, the first time included.
func (s *soak) strike(p *soakProcess) {
	s.t.Helper()
	if s.strikes++; s.strikes%soakFreezes == 1 {
		s.freeze(p)
		return
	}
	s.kill(p)
}

// awaitConsistent waits until each entity has had a scan that began after the last late row
// appeared and left nothing outstanding, and until all is applied. By then the source
// answers without faults, as verify needs.
func (s *soak) awaitConsistent() {
	s.t.Helper()
	select {
	case <-time.After(soakLate):
	case <-s.t.Context().Done():
	}
	s.sim.SetFaults(odasim.Faults{})
	s.ended = time.Now()
	s.await("a scan of each entity after the end", s.consistent, func() bool {
		return s.consistent() >= int64(len(polled()))
	})
	applied := func() int64 { return s.number(`SELECT sum(next_offset) FROM sink_offsets`) }
	s.await("all records to be applied", applied, func() bool { return applied() >= s.acknowledged() })
}

// consistent returns the number of entities that a scan has compared since the end.
func (s *soak) consistent() (entities int64) {
	err := s.pool.QueryRow(s.t.Context(), `SELECT count(*) FROM poller_watermarks WHERE consistent_through > $1`, s.ended).Scan(&entities)
	if err != nil {
		return 0
	}
	return entities
}

func (s *soak) summary() string {
	return fmt.Sprintf("kills %v, freezes %v, %d requests, faults %+v, %d records, %d rows, %d dead letters", s.kills, s.freezes, s.sim.Requests(), s.sim.FaultCounts(),
		s.acknowledged(), s.number(`SELECT count(*) FROM parliamentary_data`), s.number(`SELECT count(*) FROM dead_letters`))
}

// verify runs the command that a person would run.
func (s *soak) verify() {
	s.t.Helper()
	cmd := s.command("odastream", "verify", "--full", "--json")
	var out bytes.Buffer
	cmd.Stdout = &out
	p := program.Start(s.t, "odastream verify", cmd)
	err := s.end(p)
	var report verify.Report
	if bad := json.Unmarshal(out.Bytes(), &report); bad != nil {
		s.t.Fatalf("odastream verify: %v, %v\n%s%s", err, bad, out.String(), p)
	}
	var missing, extra, different, compared int64
	var troubles []string
	for _, e := range report.Entities {
		missing, extra, different, compared = missing+int64(e.Missing), extra+int64(e.Extra), different+int64(e.Different), compared+e.Compared
		if e.Trouble != "" || e.Missing+e.Extra+e.Different+e.Moving > 0 {
			troubles = append(troubles, fmt.Sprintf("%s: %s missing %d, extra %d, different %d, moving %d: %v", e.Name, e.Trouble, e.Missing, e.Extra, e.Different, e.Moving, e.Differences))
		}
	}
	s.t.Logf("verify: %d missing, %d extra, %d different of %d rows compared; %s", missing, extra, different, compared, report.Sentence)
	if err != nil || !report.OK || !report.Full || missing+extra+different > 0 || compared == 0 {
		s.t.Errorf("odastream verify --full: %v, %s\n%s", err, report.Sentence, strings.Join(troubles, "\n"))
	}
}
