package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"odastream/gateway"
	"odastream/internal/migrate"
	"odastream/internal/settings"
	"odastream/internal/test/copied"
	"odastream/internal/test/machine"
	"odastream/odasim"
	"odastream/query"
	"odastream/schema"
	"odastream/stream"
)

// rig is a gateway over the copy of a simulated parliament.
type rig struct {
	t        testing.TB
	cfg      gateway.Config
	sim      *odasim.Server
	pool     *pgxpool.Pool // the gateway's, with the role of readers
	owner    *pgxpool.Pool // may change the copy; nil until it is needed
	gateway  *gateway.Gateway
	registry *prometheus.Registry
	url      string
	queries  atomic.Int64 // statements that answers cost
}

// newRig returns a gateway over generated rows. configure (nil: nothing) changes its
// settings.
func newRig(t testing.TB, configure func(*gateway.Config)) *rig {
	t.Helper()
	sim := odasim.New(odasim.Options{PageCap: math.MaxInt32, Compare: odasim.CompareText, PublicURL: base + odasim.Root})
	sim.Generate(7, 0.1)
	return over(t, sim, configure)
}

// base is the public address of the gateways of tests.
const base = "https://oda.example.org"

// over returns a gateway over the copy of a simulated parliament.
func over(t testing.TB, sim *odasim.Server, configure func(*gateway.Config)) *rig {
	t.Helper()
	r := &rig{t: t, sim: sim, cfg: defaults(t)}
	if configure != nil {
		configure(&r.cfg)
	}
	r.pool = copied.Rows(t, sim, func(pool *pgxpool.Config) {
		query.PoolConfig(pool, r.cfg.Connections, r.cfg.Timeout)
		if err := migrate.GrantReader(t.Context(), pool.ConnString()); err != nil {
			t.Fatal(err)
		}
		pool.ConnConfig.RuntimeParams["role"] = migrate.ReaderRole
		pool.ConnConfig.Tracer = counting{&r.queries}
	})
	r.serve()
	return r
}

// another returns a second gateway over the same copy.
func (r *rig) another() *rig {
	other := &rig{t: r.t, sim: r.sim, cfg: r.cfg, pool: r.pool}
	other.serve()
	return other
}

// serve starts the gateway.
func (r *rig) serve() {
	r.t.Helper()
	r.registry = prometheus.NewRegistry()
	var err error
	r.gateway, err = gateway.New(r.cfg, gateway.Parts{
		Copy: query.NewReader(r.pool), Entities: schema.Entities(), TopicOf: stream.Config{TopicPrefix: "parliament-"}.Topic,
		Log: slog.New(slog.DiscardHandler), Registry: r.registry,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.gateway.Run(ctx) }()
	server := httptest.NewServer(r.gateway)
	r.t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("Run ended with %v", err)
		}
	})
	r.url = server.URL
	machine.Until(r.t, "the state of the copy", func() bool { ok, _ := r.gateway.Ready(); return ok })
}

// refreshed has the gateway read the state of the copy, which it does once a second.
func (r *rig) refreshed() { r.gateway.Refresh(r.t.Context()) }

// defaults returns the settings of a gateway that is given none.
func defaults(t testing.TB) gateway.Config {
	t.Helper()
	var set struct {
		Gateway gateway.Config `envPrefix:"GATEWAY_"`
	}
	if err := settings.Parse([]string{"GATEWAY_URL=" + base}, &set); err != nil {
		t.Fatal(err)
	}
	return set.Gateway
}

// counting counts the statements of a pool that are not about the state of the copy.
type counting struct{ n *atomic.Int64 }

func (c counting) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if !strings.Contains(q.SQL, "sink_offsets") {
		c.n.Add(1)
	}
	return ctx
}

func (counting) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// reply is what a client gets.
type reply struct {
	status int
	header http.Header
	body   string
}

// get asks for a path with headers, each "Name: value".
func (r *rig) get(path string, headers ...string) reply {
	r.t.Helper()
	return r.do(http.MethodGet, path, headers...)
}

// uncompressed is a client that takes an answer as it is.
var uncompressed = &http.Client{Transport: &http.Transport{DisableCompression: true}}

func (r *rig) do(method, path string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+strings.TrimPrefix(path, base), http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := uncompressed.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s: %v", path, err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// page is a page of the mirror.
type page struct {
	Metadata string            `json:"odata.metadata"`
	Count    string            `json:"odata.count"`
	Value    []json.RawMessage `json:"value"`
	Next     string            `json:"odata.nextLink"`
}

// page asks for a page.
func (r *rig) page(path string) (p page) {
	r.t.Helper()
	got := r.get(path)
	if got.status != http.StatusOK {
		r.t.Fatalf("GET %s = %d %s", path, got.status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		r.t.Fatalf("GET %s: %v", path, err)
	}
	return p
}

// all follows the links from a page to the last one.
func (r *rig) all(path string) (rows []string, count string) {
	r.t.Helper()
	for path != "" {
		p := r.page(path)
		for _, row := range p.Value {
			rows = append(rows, string(row))
		}
		count, path = p.Count, p.Next
	}
	return rows, count
}

// source returns what the simulated parliament answers.
func (r *rig) source(path string) page {
	r.t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, path, nil)
	req.Header.Set("Accept", "application/json")
	r.sim.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		r.t.Fatalf("the source answers %s with %d", path, w.Code)
	}
	var p page
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// await asks for a path until a header has a value: the gateway reads the state of the copy
// once a second.
func (r *rig) await(path, name, value string) {
	r.t.Helper()
	machine.Until(r.t, name+" of "+path+" to be "+value, func() bool { return r.get(path).header.Get(name) == value })
}

// asOwner returns a pool that may change the copy and see what others do.
func (r *rig) asOwner() *pgxpool.Pool {
	r.t.Helper()
	if r.owner == nil {
		r.owner = r.writer()
	}
	return r.owner
}

// exec changes the database behind the gateway.
func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.asOwner().Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

// applied is what a sink does beside rows: it moves an offset.
func (r *rig) applied(entity string) {
	r.t.Helper()
	r.exec(`INSERT INTO sink_offsets AS o (group_id, topic, partition, topic_id, next_offset) VALUES ('g', $1, 0, gen_random_uuid(), 1)
ON CONFLICT (group_id, topic, partition) DO UPDATE SET next_offset = o.next_offset + 1, updated_at = now()`, "parliament-"+schema.Suffix(entity))
}

// writer is a pool that may write to the copy.
func (r *rig) writer() *pgxpool.Pool {
	r.t.Helper()
	cfg := r.pool.Config().Copy()
	delete(cfg.ConnConfig.RuntimeParams, "default_transaction_read_only")
	delete(cfg.ConnConfig.RuntimeParams, "role")
	pool, err := pgxpool.NewWithConfig(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(pool.Close)
	return pool
}

// metric returns the sum of a metric's values with these labels.
func (r *rig) metric(name string, labels map[string]string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			matches := 0
			for _, l := range m.GetLabel() {
				if labels[l.GetName()] == l.GetValue() {
					matches++
				}
			}
			if matches == len(labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
