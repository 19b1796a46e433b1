package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"odastream/internal/daemon"
	"odastream/internal/session"
	document "odastream/internal/settings"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
)

func TestREADMEHasEverySetting(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range document.Undocumented(string(readme), &settings{}) {
		t.Errorf("README.md has no true row for %s", missing)
	}
}

func TestBadSettingsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	environ := []string{
		"DATABASE_URL=mysql://me:hunter22@h/x", "GATEWAY_TOP_MAX=5", "GATEWAY_TIMEOUT=soon", "GATEWAY_COMPLEX=0", "ODA_ENTITIES=Sager", "HTTP_ADDR=",
	}
	if got := run(t.Context(), nil, environ, &out, &out); got != daemon.ExitBadSettings {
		t.Errorf("exit status %d, want %d", got, daemon.ExitBadSettings)
	}
	for _, want := range []string{"DATABASE_URL", "GATEWAY_TOP_MAX", "100 to 100000", "GATEWAY_TIMEOUT", "GATEWAY_COMPLEX", "ODA_ENTITIES"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it says %q, want %s in it", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "hunter") {
		t.Errorf("it shows a password: %s", out.String())
	}
	out.Reset()
	environ = []string{"DATABASE_URL=postgres://h/x", "GATEWAY_URL=ftp://me@h/?x", "HTTP_ADDR="}
	if got := run(t.Context(), nil, environ, &out, &out); got != daemon.ExitBadSettings || !strings.Contains(out.String(), "GATEWAY_URL is") {
		t.Errorf("exit status %d: %s", got, out.String())
	}
	if got := run(t.Context(), []string{"--once"}, nil, io.Discard, io.Discard); got != daemon.ExitBadSettings {
		t.Errorf("--once ends with %d, want %d: there is none", got, daemon.ExitBadSettings)
	}
}

// guarded is a buffer for a program that still runs.
type guarded struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.Write(p)
}

// String returns what was written so far.
func (g *guarded) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.String()
}

// address returns the address that a log line with a message names.
func (g *guarded) address(msg string) (addr string) {
	for line := range strings.Lines(g.String()) {
		if strings.Contains(line, msg) {
			_, rest, _ := strings.Cut(line, "addr=")
			addr, _, _ = strings.Cut(rest, " ")
		}
	}
	return addr
}

// The gateway answers until it is told to stop, and then ends with 0.
func TestTheGatewayAnswersUntilItIsStopped(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	var out guarded
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	environ := []string{"DATABASE_URL=" + url, "GATEWAY_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=text"}
	go func() { ended <- run(ctx, nil, environ, &out, &out) }()
	machine.Wait{For: "the address", Details: out.String}.Until(t, func() bool { return out.address("msg=answering") != "" })
	for path, want := range map[string]string{
		"http://" + out.address("msg=answering") + "/api/Sag/$count": "0",
		"http://" + out.address(`msg="serving HTTP"`) + "/healthz":   "ok\n",
		"http://" + out.address(`msg="serving HTTP"`) + "/metrics":   "parliament_cache_hit_ratio",
	} {
		if body := get(t, path); !strings.Contains(body, want) {
			t.Errorf("GET %s says %.300q, want %q in it", path, body, want)
		}
	}
	machine.Until(t, "the gateway to be ready", func() bool {
		return strings.Contains(get(t, "http://"+out.address(`msg="serving HTTP"`)+"/readyz"), "true")
	})
	conn, err := session.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), `BEGIN; LOCK TABLE parliamentary_data_sag`); err != nil {
		t.Fatal(err)
	}
	inFlight := make(chan string, 1)
	go func() {
		inFlight <- get(t, "http://"+out.address("msg=answering")+"/api/Sag/$count?$filter=id%20gt%201")
	}()
	machine.Until(t, "a request to be in flight", func() bool { return waiting(t, conn) })
	stop()
	machine.Until(t, "the gateway to take no more requests", func() bool {
		var d net.Dialer
		other, err := d.DialContext(t.Context(), "tcp", out.address("msg=answering"))
		if err == nil {
			_ = other.Close()
		}
		return err != nil
	})
	if _, err := conn.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if got := machine.Recv(t, "the answer to the request in flight", inFlight); got != "0" {
		t.Errorf("the request in flight got %q, want 0", got)
	}
	if got := machine.Recv(t, "the end of the gateway", ended); got != daemon.ExitDone {
		t.Errorf("exit status %d, want 0: %s", got, out.String())
	}
}

// waiting reports whether a session waits for a lock of conn.
func waiting(t *testing.T, conn *pgx.Conn) (yes bool) {
	t.Helper()
	const sql = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`
	if err := conn.QueryRow(t.Context(), sql).Scan(&yes); err != nil {
		t.Fatal(err)
	}
	return yes
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
