package odasim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faultyServer starts a server with three rows, each of whose answers meets f.
func faultyServer(t *testing.T, f Faults) (*Server, *httptest.Server) {
	t.Helper()
	s := newSim(Options{})
	votes(t, s, map[int]string{1: "2019-03-20T19:21:12", 2: "2019-03-20T19:21:12", 3: "2019-03-20T19:21:12"})
	s.SetFaults(f)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server
}

// get asks for the set and returns the status, the body, and the error of the request or
// of reading the body.
func get(ctx context.Context, server *httptest.Server, path string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+Root+path, nil)
	if err != nil {
		return nil, "", err
	}
	a, err := server.Client().Do(r)
	if err != nil {
		return nil, "", err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	return a, string(body), err
}

const threeRows = `{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[` +
	`{"id":1,"typeid":1,"afstemningid":10,"aktørid":5,"opdateringsdato":"2019-03-20T19:21:12"},` +
	`{"id":2,"typeid":1,"afstemningid":10,"aktørid":5,"opdateringsdato":"2019-03-20T19:21:12"},` +
	`{"id":3,"typeid":1,"afstemningid":10,"aktørid":5,"opdateringsdato":"2019-03-20T19:21:12"}]}`

func TestErrorFault(t *testing.T) {
	t.Parallel()
	_, server := faultyServer(t, Faults{ErrorRate: 1, ErrorStatus: 503, RetryAfter: 1500 * time.Millisecond})
	a, body, err := get(t.Context(), server, "/Stemme")
	if err != nil || a.StatusCode != 503 || body != errorPage || a.Header.Get("Retry-After") != "2" || a.Header.Get("Content-Type") != "text/html" {
		t.Errorf("got %v %v %q, want 503 with a web page and Retry-After: 2", err, a, body)
	}
}

func TestHTMLFault(t *testing.T) {
	t.Parallel()
	_, server := faultyServer(t, Faults{HTMLRate: 1})
	a, body, err := get(t.Context(), server, "/Stemme")
	if err != nil || a.StatusCode != 200 || body != noticePage || a.Header.Get("Content-Type") != "text/html" {
		t.Errorf("got %v %v %q, want 200 with a web page", err, a, body)
	}
}

func TestTruncateFault(t *testing.T) {
	t.Parallel()
	s, server := faultyServer(t, Faults{TruncateRate: 1})
	for n, want := range []error{io.ErrUnexpectedEOF, nil, io.ErrUnexpectedEOF, nil} {
		_, body, err := get(t.Context(), server, "/Stemme")
		if !errors.Is(err, want) || body != threeRows[:len(threeRows)/2] {
			t.Errorf("answer %d: %v, %q, want %v and half of the page", n, err, body, want)
		}
	}
	if got := s.FaultCounts(); got != (FaultCounts{Truncated: 4}) {
		t.Errorf("counts %+v, want 4 truncated", got)
	}
}

func TestResetFault(t *testing.T) {
	t.Parallel()
	_, server := faultyServer(t, Faults{ResetRate: 1})
	if _, body, err := get(t.Context(), server, "/Stemme"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v and %q, want a reset connection", err, body)
	}
}

func TestUnfilteredFault(t *testing.T) {
	t.Parallel()
	_, server := faultyServer(t, Faults{UnfilteredRate: 1})
	if _, body, err := get(t.Context(), server, "/Stemme?$filter=id+gt+3&$top=3"); err != nil || body != threeRows {
		t.Errorf("got %v and %s, want everything", err, body)
	}
}

func TestDisorderFault(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	many(t, s, 500, 0)
	s.SetFaults(Faults{DisorderRate: 1})
	for range 50 {
		got := ids(t, s, "Stemme", "$orderby", "id")
		if slices.IsSorted(got) {
			t.Fatalf("ids %v are in order", got)
		}
		slices.Sort(got)
		if diff := cmp.Diff(numbers(1, 100), got); diff != "" {
			t.Fatalf("the page's rows (-want +got):\n%s", diff)
		}
	}
}

func TestShortFault(t *testing.T) {
	t.Parallel()
	s := newSim(Options{PageCap: 20})
	many(t, s, 100, 0)
	s.SetFaults(Faults{ShortRate: 1})
	var got []int64
	for len(got) < 100 {
		page := ids(t, s, "Stemme", "$top", "20", "$skip", strconv.Itoa(len(got)))
		if len(page) < 1 || len(page) > 19 {
			t.Fatalf("%d rows, want 1 to 19", len(page))
		}
		got = append(got, page...)
	}
	if diff := cmp.Diff(numbers(1, 100), got); diff != "" {
		t.Errorf("all pages (-want +got):\n%s", diff)
	}
}

// TestShortPageKeepsItsLink checks that a link leads to the rows that a short page left
// out.
func TestShortPageKeepsItsLink(t *testing.T) {
	t.Parallel()
	s := newSim(Options{PageCap: 20})
	many(t, s, 20, 0)
	s.SetFaults(Faults{ShortRate: 1})
	a, page := pageOf(t, ask(t, s, "/Stemme"))
	if want := "$skip=" + strconv.Itoa(len(page)); !strings.HasSuffix(a.Next, want) {
		t.Errorf("link %q behind %d rows, want %s", a.Next, len(page), want)
	}
}

func TestErrorBurst(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	s.SetFaults(Faults{Seed: 7, ErrorRate: 0.05, ErrorBurst: 4})
	run, runs := 0, []int{}
	for range 1000 {
		if ask(t, s, "/Stemme").Code == 500 {
			run++
			continue
		}
		if run > 0 {
			runs = append(runs, run)
		}
		run = 0
	}
	for _, n := range runs {
		if n%4 != 0 {
			t.Errorf("a burst of %d errors, want 4 or, end to end, a multiple", n)
		}
	}
	if len(runs) < 20 {
		t.Errorf("%d bursts in 1000 requests, want about 45", len(runs))
	}
}

func TestSeedRepeatsFaults(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	codes := func(seed uint64) string {
		s.SetFaults(Faults{Seed: seed, ErrorRate: 0.3, HTMLRate: 0.3})
		var b strings.Builder
		for range 100 {
			w := ask(t, s, "/Stemme")
			b.WriteString(strconv.Itoa(w.Code) + w.Header().Get("Content-Type") + "\n")
		}
		return b.String()
	}
	first := codes(1)
	if codes(1) != first {
		t.Error("the same seed gives other faults")
	}
	if codes(2) == first {
		t.Error("another seed gives the same faults")
	}
	s.SetFaults(Faults{})
	if w := ask(t, s, "/Stemme"); w.Code != 200 {
		t.Errorf("faults removed: status %d, want 200", w.Code)
	}
}

// TestDelays checks latency, jitter and stalls with the test's own clock.
func TestDelays(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		faults   Faults
		patience time.Duration
		least    time.Duration
		most     time.Duration
		whole    bool
	}{
		"latency":                                      {Faults{Latency: time.Second}, time.Hour, time.Second, time.Second, true},
		"latency and jitter":                           {Faults{Latency: time.Second, Jitter: time.Second}, time.Hour, time.Second, 2 * time.Second, true},
		"a client with a short timeout":                {Faults{Latency: time.Hour}, time.Second, time.Second, time.Second, false},
		"a stall that ends":                            {Faults{StallRate: 1, Stall: time.Minute}, time.Hour, time.Minute, time.Minute, true},
		"a stall of a minute":                          {Faults{StallRate: 1}, time.Hour, time.Minute, time.Minute, true},
		"a stall that is longer than the client waits": {Faults{StallRate: 1, Stall: time.Hour}, time.Second, time.Second, time.Second, false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSim(Options{})
				votes(t, s, map[int]string{1: "2019-03-20T19:21:12", 2: "2019-03-20T19:21:12", 3: "2019-03-20T19:21:12"})
				s.SetFaults(c.faults)
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				begin := time.Now()
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/Stemme", nil))
				if took := time.Since(begin); took < c.least || took > c.most {
					t.Errorf("took %s, want %s to %s", took, c.least, c.most)
				}
				if whole := w.Body.String() == threeRows; whole != c.whole {
					t.Errorf("body %q, want the whole page: %v", w.Body, c.whole)
				}
			})
		})
	}
}

func TestFaultsValidate(t *testing.T) {
	t.Parallel()
	nan := 0.0
	nan /= nan
	for claim, f := range map[string]Faults{
		"error rate":      {ErrorRate: 1.1},
		"html rate":       {HTMLRate: -0.1},
		"truncate rate":   {TruncateRate: 2},
		"reset rate":      {ResetRate: nan},
		"stall rate":      {StallRate: 2},
		"unfiltered rate": {UnfilteredRate: 2},
		"disorder rate":   {DisorderRate: 2},
		"short rate":      {ShortRate: 2},
		"latency":         {Latency: -1},
		"jitter":          {Jitter: -1},
		"stall":           {Stall: -1},
		"retry after":     {RetryAfter: -1},
		"error status":    {ErrorStatus: 200},
		"error burst":     {ErrorBurst: -1},
	} {
		if err := f.Validate(); err == nil || !strings.HasPrefix(err.Error(), claim) {
			t.Errorf("%s: %v, want an error that names it", claim, err)
		}
	}
	if err := (Faults{}).Validate(); err != nil {
		t.Errorf("no fault: %v", err)
	}
}

func TestBadSettingsPanic(t *testing.T) {
	t.Parallel()
	for claim, do := range map[string]func(){
		"faults":   func() { newSim(Options{}).SetFaults(Faults{ErrorRate: 2}) },
		"page cap": func() { New(Options{PageCap: -1}) },
		"compare":  func() { New(Options{Compare: "x"}) },
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			do()
		})
	}
}
