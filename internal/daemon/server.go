package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"odastream/internal/httpserver"
)

// closeWithin bounds the wait for running requests at the end.
const closeWithin = time.Second

// served are the limits of a program's server. The idle timeout is longer than the usual
// intervals of probes and scrapes, so that they keep their connections. The number of
// connections is far above what probes, scrapes and people open, and far below a process's
// limit of descriptors.
var served = httpserver.Limits{
	Header: 5 * time.Second, Read: 10 * time.Second, Write: 30 * time.Second, Idle: 75 * time.Second,
	HeaderBytes: 16 << 10, Connections: 100,
}

// server answers /metrics, /healthz, /readyz and /status from the beginning, even while
// Start is still trying. A nil server serves nothing.
type server struct {
	log  *slog.Logger
	http *http.Server
	hide *strings.Replacer // of secrets, in /readyz and /status

	mu       sync.Mutex
	reason   string // why the program is not at work; "" once it is
	job      Job
	registry *prometheus.Registry
}

// serve listens on the program's address; nil: it has none.
func (r runner) serve(ctx context.Context) (*server, error) {
	if r.program.HTTPAddr == nil || *r.program.HTTPAddr == "" {
		return nil, nil
	}
	ln, err := httpserver.Listen(ctx, "HTTP_ADDR", *r.program.HTTPAddr)
	if err != nil {
		return nil, err
	}
	s := &server{log: r.log, hide: newReplacer(r.secrets), reason: "starting", registry: newRegistry()}
	s.http = httpserver.New(s.routes(), served, r.log)
	go func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error("HTTP server ended", "err", err)
		}
	}()
	r.log.Info("serving HTTP", "addr", ln.Addr().String(), "paths", "/metrics /healthz /readyz /status")
	return s, nil
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, req *http.Request) {
		_, _, registry := s.state()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, req)
	})
	return mux
}

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // why the program as a whole does not work
	Detail any    `json:"detail,omitempty"` // of each entity or partition
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	reason, job, _ := s.state()
	body := readiness{Ready: reason == "", Reason: reason}
	if reason == "" && job.Ready != nil {
		body.Ready, body.Detail = job.Ready()
	}
	code := http.StatusOK
	if !body.Ready {
		code = http.StatusServiceUnavailable
	}
	s.writeJSON(w, code, body)
}

func (s *server) status(w http.ResponseWriter, _ *http.Request) {
	reason, job, _ := s.state()
	if job.Status == nil {
		s.writeJSON(w, http.StatusOK, readiness{Ready: reason == "", Reason: reason})
		return
	}
	s.writeJSON(w, http.StatusOK, job.Status())
}

func (s *server) writeJSON(w http.ResponseWriter, code int, body any) {
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		s.log.Error("cannot encode an answer", "err", err)
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = s.hide.WriteString(w, string(text)+"\n") // the client has gone: there is nothing to do
}

func (s *server) state() (reason string, job Job, registry *prometheus.Registry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason, s.job, s.registry
}

// set changes what is shown; on a nil server it does nothing.
func (s *server) set(change func()) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *server) waiting(err error) { s.set(func() { s.reason = "starting: " + err.Error() }) }

func (s *server) started(job Job, registry *prometheus.Registry) {
	s.set(func() { s.reason, s.job, s.registry = "", job, registry })
}

func (s *server) stopping() { s.set(func() { s.reason = "stopping" }) }

// close ends the server. It does not cut off running answers if ctx has ended.
func (s *server) close(ctx context.Context) {
	if s == nil {
		return
	}
	httpserver.Close(ctx, s.http, closeWithin)
}
