package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// freeAddr returns an address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln := listen(t)
	defer ln.Close()
	return ln.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func get(t *testing.T, addr, path string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// A job's status can quote an address: no secret of the settings is served to any client.
func TestNoSecretIsServed(t *testing.T) {
	t.Parallel()
	said := func() (bool, any) { return false, map[string]string{"Sag": "GET http://u:hunter22@db/x"} }
	addr, let := serving(t, Job{Ready: said, Status: func() any { _, detail := said(); return detail }})
	let()
	for _, path := range []string{"/readyz", "/status"} {
		if _, body := get(t, addr, path); strings.Contains(body, "hunter") || !strings.Contains(body, hidden) {
			t.Errorf("%s says %s, want %s in the place of the password", path, body, hidden)
		}
	}
}

// serving runs a program with an HTTP address; its start fails until the test
// lets it through, and its job runs until the test ends.
func serving(t *testing.T, job Job) (addr string, let func()) {
	t.Helper()
	addr = freeAddr(t)
	tried, letThrough, running := make(chan struct{}), make(chan struct{}), make(chan struct{})
	l := &launch{environ: []string{dbEnv, "HTTP_ADDR=" + addr}}
	first := true
	l.start = func(_ context.Context, env Env) (Job, error) {
		promauto.With(env.Registry).NewCounter(prometheus.CounterOpts{Name: "tries_total", Help: "h"}).Inc()
		if first {
			first = false
			close(tried)
			<-letThrough
			return Job{}, errors.New("connection refused")
		}
		job.Run = func(ctx context.Context) error { close(running); return untilTold(ctx) }
		return job, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() { done <- l.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if got := <-done; got != ExitDone {
			t.Errorf("exit status %d, want %d:\n%s", got, ExitDone, l.stderr.String())
		}
	})
	<-tried
	return addr, func() { close(letThrough); <-running }
}

func TestReadyzGivesTheReason(t *testing.T) {
	t.Parallel()
	ok := false
	addr, let := serving(t, Job{Ready: func() (bool, any) { return ok, map[string]string{"Sag": "loading"} }})

	if code, body := get(t, addr, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, `"reason": "starting"`) {
		t.Errorf("GET /readyz before the start = %d %s, want 503 and starting", code, body)
	}
	if code, _ := get(t, addr, "/healthz"); code != http.StatusOK {
		t.Errorf("GET /healthz before the start = %d, want 200: it lives", code)
	}
	let()
	if code, body := get(t, addr, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, `"Sag": "loading"`) {
		t.Errorf("GET /readyz while a part is not ready = %d %s, want 503 and the part", code, body)
	}
	ok = true
	if code, body := get(t, addr, "/readyz"); code != http.StatusOK || !strings.Contains(body, `"ready": true`) {
		t.Errorf("GET /readyz = %d %s, want 200", code, body)
	}
}

func TestStatusIsTheJobsJSON(t *testing.T) {
	t.Parallel()
	addr, let := serving(t, Job{Status: func() any { return map[string]int{"rows": 7} }})
	let()
	code, body := get(t, addr, "/status")
	var got map[string]int
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != http.StatusOK || got["rows"] != 7 {
		t.Errorf("GET /status = %d %s (%v), want rows 7", code, body, err)
	}
}

func TestMetricsAreThoseOfTheSuccessfulStart(t *testing.T) {
	t.Parallel()
	addr, let := serving(t, Job{})
	let()
	_, body := get(t, addr, "/metrics")
	for _, want := range []string{"tries_total 1", "go_goroutines"} {
		if !strings.Contains(body, want) {
			t.Errorf("GET /metrics has no %q", want)
		}
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	defer ln.Close()
	l := launch{environ: []string{dbEnv, "HTTP_ADDR=" + ln.Addr().String()}}
	if got := l.run(t.Context()); got != ExitFault {
		t.Errorf("exit status %d, want %d", got, ExitFault)
	}
	if want := "is in use by another program: set HTTP_ADDR to a free one"; !strings.Contains(l.stderr.String(), want) {
		t.Errorf("stderr is\n%s\nwant in it %q", l.stderr.String(), want)
	}
	once := launch{args: []string{"--once"}, environ: l.environ}
	if got := once.run(t.Context()); got != ExitDone {
		t.Errorf("exit status of --once %d, want %d: it runs beside a daemon", got, ExitDone)
	}
}
