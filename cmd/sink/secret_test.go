package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"odastream/internal/daemon"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// A secret in any variable, in any broken form, is in nothing that the program writes.
func TestBadSettingsShowNoSecret(t *testing.T) {
	t.Parallel()
	const database = "DATABASE_URL=postgres://me:hunter22@127.0.0.1:1/x"
	for claim, tc := range map[string]struct {
		environ []string
		names   string // a variable that is named as bad
	}{
		"a blank before DATABASE_URL":               {[]string{"DATABASE_URL= postgres://me:hunter22@127.0.0.1:1/x?sslmode=disable"}, "DATABASE_URL"},
		"a DATABASE_URL of another scheme":          {[]string{"DATABASE_URL=mysql://me:hunter22@127.0.0.1:1/x?a=b"}, "DATABASE_URL"},
		"a DATABASE_URL that cannot be read":        {[]string{"DATABASE_URL=postgres://me:hunter22%zz@127.0.0.1:1/x"}, "DATABASE_URL"},
		"brokers with a password":                   {[]string{database, "KAFKA_BROKERS=me:hunter22@127.0.0.1:1"}, "KAFKA_BROKERS"},
		"brokers that are a URL":                    {[]string{database, "KAFKA_BROKERS=sasl://hunter22/x"}, "KAFKA_BROKERS"},
		"a password without a mechanism":            {[]string{database, "KAFKA_SASL_PASSWORD=hunter22"}, "KAFKA_SASL_MECHANISM"},
		"a password without a user":                 {[]string{database, "KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_PASSWORD=hunter22"}, "KAFKA_SASL_USERNAME"},
		"good secrets beside a bad size of batches": {[]string{database, "KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=me", "KAFKA_SASL_PASSWORD=hunter22", "SINK_BATCH_BYTES=x"}, "SINK_BATCH_BYTES"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			environ := append([]string{"HTTP_ADDR=", "LOG_LEVEL=debug"}, tc.environ...)
			if got := run(t.Context(), []string{"--once"}, environ, &out, &out); got != daemon.ExitBadSettings {
				t.Errorf("exit status %d, want %d: %s", got, daemon.ExitBadSettings, out.String())
			}
			if !strings.Contains(out.String(), tc.names) || strings.Contains(out.String(), "hunter") {
				t.Errorf("it says %q, want %s named and no secret", out.String(), tc.names)
			}
		})
	}
}

func TestAnOutageShowsNoSecret(t *testing.T) {
	t.Parallel()
	login := []string{"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=me", "KAFKA_SASL_PASSWORD=hunter22"}
	locked := kafkatest.Fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "another"))
	r := newRig(t, kafkatest.Fake(t))
	for claim, tc := range map[string]struct {
		environ []string
		says    string
	}{
		"a URL":                {append(login, "DATABASE_URL=postgres://me:hunter22@127.0.0.1:1/x"), "reach Postgres"},
		"a URL with parameter": {append(login, "DATABASE_URL=postgres://127.0.0.1:1/x?user=me&password=hunter22"), "reach Postgres"},
		"a DSN":                {append(login, "DATABASE_URL=host=127.0.0.1 port=1 user=me password='hunter22' dbname=x"), "reach Postgres"},
		"no broker":            {append(login, "DATABASE_URL="+r.url), "reach Kafka"},
		"a wrong password":     {append(login, "DATABASE_URL="+r.url, "KAFKA_BROKERS="+strings.Join(locked, ",")), "Kafka"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			environ := append([]string{"HTTP_ADDR=", "LOG_LEVEL=debug", "KAFKA_BROKERS=127.0.0.1:1"}, tc.environ...)
			if got := run(t.Context(), []string{"--once"}, environ, &out, &out); got != daemon.ExitFault {
				t.Errorf("exit status %d, want %d: %s", got, daemon.ExitFault, out.String())
			}
			if !strings.Contains(out.String(), tc.says) || strings.Contains(out.String(), "hunter") {
				t.Errorf("it says %q, want %s, and no secret", out.String(), tc.says)
			}
		})
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

// A sink that works and dead-letters shows no secret to those who look at it.
func TestAWorkingSinkShowsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t, kafkatest.Fake(t))
	separator := "?"
	if strings.Contains(r.url, "?") {
		separator = "&"
	}
	environ := append(r.environ(), "DATABASE_URL="+r.url+separator+"password=hunter22", "HTTP_ADDR=127.0.0.1:0", "LOG_LEVEL=debug", "LOG_FORMAT=json")
	var out guarded
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, nil, environ, &out, &out) }()
	if err := r.publish(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	if err := r.garbage(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	machine.Wait{For: "the dead letter", Progress: func() any { return len(out.String()) }}.Until(t, func() bool {
		return strings.Contains(out.String(), "record dead-lettered") && strings.Contains(out.String(), "serving HTTP")
	})
	address := regexp.MustCompile(`"addr":"([^"]+)"`).FindStringSubmatch(out.String())[1]
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/status"} {
		if got := get(t, "http://"+address+path); strings.Contains(got, "hunter") {
			t.Errorf("%s shows a secret: %s", path, got)
		}
	}
	var known string
	if err := r.pool.QueryRow(t.Context(), `SELECT concat((SELECT string_agg(a::text, ' ') FROM pg_stat_activity a WHERE pid <> pg_backend_pid()),
    (SELECT string_agg(d::text, ' ') FROM dead_letters d))`).Scan(&known); err != nil || strings.Contains(known, "hunter") {
		t.Errorf("Postgres shows a secret: %s, %v", known, err)
	}
	if title, err := os.ReadFile("/proc/self/cmdline"); err == nil && bytes.Contains(title, []byte("hunter")) {
		t.Errorf("the process' title is %q", title)
	}
	cancel()
	if status := <-ended; status != daemon.ExitDone {
		t.Errorf("exit status %d", status)
	}
	if strings.Contains(out.String(), "hunter") {
		t.Errorf("the log shows a secret: %s", out.String())
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
