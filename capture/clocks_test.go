package capture

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/internal/test/machine"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
)

// dated is an answer whose Date a proxy shifts.
type dated struct {
	http.ResponseWriter
	shift time.Duration
}

func (d dated) WriteHeader(status int) {
	if at, err := http.ParseTime(d.Header().Get("Date")); err == nil {
		d.Header().Set("Date", at.Add(d.shift).UTC().Format(http.TimeFormat))
	}
	d.ResponseWriter.WriteHeader(status)
}

// shiftDates puts a proxy before the source that shifts the Date of all answers.
func (w *world) shiftDates(shift time.Duration) {
	w.t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.sim.ServeHTTP(dated{rw, shift}, r) }))
	w.t.Cleanup(proxy.Close)
	client, err := oda.New(oda.Config{URL: proxy.URL + "/api", Concurrency: 16, Timeout: machine.AtLeast(20 * time.Second)}, w.logger(), prometheus.NewRegistry())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	w.source = client
}

// The tail finds a row whose stamp either clock may have given, in the second pass at the
// latest: the first one may be the first to learn of a clock that was set.
func TestRowsAreFoundWhicheverClockIsWrong(t *testing.T) {
	t.Parallel()
	const hour, day = time.Hour, 24 * time.Hour
	for claim, tt := range map[string]struct {
		proxy, source, set time.Duration // a shift of Date; the source's clock less ours; by how much it is set at last
		followed           string
	}{
		"a proxy's Date is a day ahead for good":  {day, 0, 0, clockOwn},
		"a proxy's Date is a day behind for good": {-day, 0, 0, clockSource},
		"the source's clock is an hour ahead":     {0, hour, 0, clockOwn},
		"the source's clock is put forward":       {0, 0, hour, clockOwn},
		"the source's clock is put back":          {0, 0, -hour, clockSource},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, odasim.Options{}, "Sag")
			w.shiftDates(tt.proxy)
			w.sim.Advance(tt.source)
			w.mustOnce()
			w.cfg.Interval, w.cfg.IntervalMax = time.Hour, time.Hour
			p, stop := w.follow()
			defer stop()
			w.eventually("the daemon follows", func() bool {
				return p.Status().Entities[0].State == StateFollowing && !p.Status().Entities[0].Watermark.IsZero()
			})
			w.sim.Advance(tt.set)
			w.put("Sag", 1, "nu", stampAt(w.sim.Now()))
			for range 3 { // the third waits until the second is being answered
				p.wakers["Sag"] <- struct{}{}
			}
			w.eventually("the row is published", func() bool { return len(w.changes("Sag")) == 1 })
			if c := w.changes("Sag")[0]; c.Origin != schema.OriginTail {
				t.Errorf("the row was found by %s, want the tail", c.Origin)
			}
			if clock := p.Status().Clock; clock.Followed != tt.followed || clock.Answers == 0 {
				t.Errorf("clock is %+v, want %s", clock, tt.followed)
			}
		})
	}
}
