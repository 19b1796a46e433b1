package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/odasim"
	"odastream/stream"
)

const (
	// millionRows is the entity that BenchmarkScanOfAMillionRows scans.
	millionRows = 1_000_000
	// tailChanges is the number of changes that measure the tail's delay, with and
	// without a scan.
	tailChanges = 60
	// longAgo is before every look-back: no pass of the tail reads these rows again.
	longAgo = "2014-09-30T10:00:00"
)

// BenchmarkScanOfAMillionRows measures a scan of a large entity at a rate limit of 100
// requests a second: the poller's memory, the requests compared with one for each hundred
// rows, and the tail's delay during the scan, compared with the same tail alone in the
// same run and with itself.
func BenchmarkScanOfAMillionRows(b *testing.B) {
	asked := &asked{}
	r := newRig(b, kafkatest.Real(b), odasim.Options{}, "ODA_ENTITIES=Stemme", "KAFKA_PARTITIONS=1")
	r.kafka.Partitions = 1
	server := httptest.NewServer(asked.counting(r.sim))
	b.Cleanup(server.Close)
	r.source = server.URL + "/api"
	for id := range millionRows {
		r.vote(int64(id+1), id%3, longAgo)
	}
	for b.Loop() {
		b.ReportMetric(r.peakMemory("poller", "--once"), "MB-load")
		r.scanIsDue()
		asked.scan.Store(0)
		b.ReportMetric(r.peakMemory("poller", "--once"), "MB-scan")
		b.ReportMetric(float64(asked.scan.Load())/(millionRows/100), "requests/page")

		alone := r.tailDelay(b, "SCAN_EVERY=0")
		again := r.tailDelay(b, "SCAN_EVERY=0")
		r.scanIsDue()
		beside := r.tailDelay(b, "SCAN_EVERY=24h")
		b.ReportMetric(float64(beside.Milliseconds()), "ms-delay")
		b.ReportMetric(beside.Seconds()/alone.Seconds(), "delay/alone")
		b.ReportMetric(again.Seconds()/alone.Seconds(), "alone/alone")
	}
}

// scanIsDue makes the last scan a day old.
func (r *rig) scanIsDue() {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), `UPDATE poller_watermarks SET scanned_at = scanned_at - interval '1 day'`); err != nil {
		r.t.Fatal(err)
	}
}

// asked counts the requests of scans, which do not filter by stamp.
type asked struct{ scan atomic.Int64 }

func (a *asked) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, "opdateringsdato") && !strings.Contains(r.URL.RawQuery, "inlinecount") {
			a.scan.Add(1)
		}
		next.ServeHTTP(w, r)
	})
}

func (r *rig) vote(id int64, kind int, stamp string) {
	r.t.Helper()
	row := fmt.Appendf(nil, `{"id":%d,"typeid":%d,"afstemningid":%d,"aktørid":%d,"opdateringsdato":"%s"}`,
		id, kind, id/179, id%179, stamp)
	if err := r.sim.Put("Stemme", row); err != nil {
		r.t.Fatal(err)
	}
}

// peakMemory runs a program to its end and returns its largest resident set in MB.
func (r *rig) peakMemory(name string, args ...string) (peak float64) {
	r.t.Helper()
	p := program.Start(r.t, name, r.command(name, args...))
	end := machine.Wait{For: "the end of a program", Progress: func() any { return r.sim.Requests() }}
	p.Until(r.t, end, func() bool {
		peak = max(peak, residentPeak(p.PID()))
		return false
	})
	if err := p.Wait(); err != nil {
		r.t.Fatalf("%v: %s", err, p)
	}
	return peak
}

// residentPeak returns VmHWM in MB, 0 once the process has ended. The rusage of a child
// cannot be used: it includes the memory of the process that forked it.
func residentPeak(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}

// tailDelay runs a poller and returns the median time from a change at the source
// to its record on the topic.
func (r *rig) tailDelay(b *testing.B, env ...string) time.Duration {
	b.Helper()
	r.freeLeases()
	cmd := r.command("poller")
	cmd.Env = append(cmd.Env, append(env, "ODA_RATE=100", "ODA_CONCURRENCY=4", "POLL_INTERVAL=200ms")...)
	p := program.Start(b, "poller", cmd)
	records := r.records("Stemme")
	arrivals := r.follow(b, records)
	delays := make([]time.Duration, 0, tailChanges)
	for n := range int64(tailChanges + 1) {
		id := millionRows - 1000*n
		changed := time.Now()
		r.vote(id, int(changed.UnixNano()%1_000_000), odasim.Stamp(r.sim.Now()))
		program.Await(b, machine.Wait{For: fmt.Sprintf("change %d", n)}, func() bool {
			select {
			case at := <-arrivals:
				delays = append(delays, at.Sub(changed))
				return true
			default:
				return false
			}
		}, p)
	}
	p.Stop(b)
	delays = delays[1:] // the first change waited for the poller's start
	slices.Sort(delays)
	return delays[len(delays)/2]
}

// follow reports when each record behind offset arrives.
func (r *rig) follow(b *testing.B, offset int64) <-chan time.Time {
	b.Helper()
	client, err := stream.NewClient(r.kafka, quiet(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		r.kafka.Topic("Stemme"): {0: kgo.NewOffset().At(offset)},
	}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	arrivals := make(chan time.Time, tailChanges)
	go func() {
		for {
			fetches := client.PollFetches(b.Context())
			if fetches.IsClientClosed() || b.Context().Err() != nil {
				return
			}
			for range fetches.NumRecords() {
				arrivals <- time.Now()
			}
		}
	}()
	return arrivals
}
