package gateway

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"odastream/odata"
	"odastream/query"
	"odastream/schema"
	"odastream/stream"
)

// Parts are what a Gateway answers with.
type Parts struct {
	Copy     *query.Reader
	Entities []schema.Entity // those that the copy holds
	TopicOf  func(entity string) string
	Hub      *stream.Hub // of the changes; nil: there are none
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Gateway answers requests. It is safe for concurrent use.
type Gateway struct {
	cfg       Config
	copy      *query.Reader
	model     *odata.Model
	places    *admission
	fresh     *freshness
	hub       *stream.Hub
	metrics   *metrics
	log       *slog.Logger
	handler   http.Handler
	startedAt time.Time

	sendWithin time.Duration // how long a client may take for a chunk of a file
}

// New returns a Gateway. Its Run keeps it fresh.
func New(cfg Config, parts Parts) (*Gateway, error) {
	topics := map[string]string{}
	for _, e := range parts.Entities {
		topics[e.Name] = parts.TopicOf(e.Name)
	}
	states := func(ctx context.Context) (map[string]query.State, error) { return parts.Copy.States(ctx, topics) }
	fresh, err := newFreshness(states, parts.Log)
	if err != nil {
		return nil, fmt.Errorf("remember answers: %w", err)
	}
	g := &Gateway{
		cfg: cfg, copy: parts.Copy, model: odata.NewModel(parts.Entities),
		places: newAdmission(cfg), fresh: fresh, metrics: newMetrics(parts.Registry), log: parts.Log,
		startedAt: time.Now(), sendWithin: sendWithin,
	}
	compressed, err := gzhttp.NewWrapper(gzhttp.SuffixETag(gzipSuffix))
	if err != nil {
		return nil, fmt.Errorf("compress answers: %w", err)
	}
	answers := http.Handler(compressed(g.routes()))
	if g.hub = parts.Hub; g.hub != nil {
		c := newChanges(g.hub, slices.Sorted(maps.Keys(topics)), parts.Log)
		answers = besideChanges(answers, g.metrics.counted(changesPath, c))
	}
	g.handler = identified(answers)
	return g, nil
}

// ServeHTTP answers a request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Run keeps the gateway fresh until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	var all errgroup.Group
	if g.hub != nil {
		all.Go(func() error { return g.hub.Run(ctx) })
	}
	g.fresh.run(ctx)
	return all.Wait()
}

// Ready reports whether the copy can be read. The detail says since when not.
func (g *Gateway) Ready() (ok bool, detail any) {
	age := g.fresh.age()
	if age <= staleAfter {
		return true, nil
	}
	return false, map[string]string{"copy": fmt.Sprintf("its state was last read %s ago", age.Round(time.Second))}
}

func (g *Gateway) routes() http.Handler {
	mirror := g.serve(mirrorDialect, g.askMirror)
	api := http.NewServeMux()
	for _, rt := range apiRoutes() {
		api.Handle(apiRoot+rt.path, g.serve(apiDialect, g.endpoint(rt)))
		for _, form := range rt.forms() {
			api.Handle(apiRoot+rt.path+"."+form, g.serve(apiDialect, g.formed(rt, form)))
		}
	}
	api.Handle(apiRoot+"/openapi.json", g.serve(apiDialect, g.askOpenAPI))
	api.Handle(exportRoot+"{file}", g.serve(apiDialect, g.askExport))
	page := g.serve(apiDialect, g.askAPIPage)
	api.Handle(apiRoot, page)
	api.Handle(apiRoot+"/{$}", page)
	api.Handle("/", g.serve(apiDialect, askNothing))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, mirrorRoot); ok && (rest == "" || rest[0] == '/') {
			mirror.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// askNothing refuses an address that nothing is at.
func askNothing(r *http.Request) (question, error) {
	return question{}, refuse(http.StatusNotFound, fmt.Sprintf("there is nothing at %q: the mirror of oda.ft.dk is at %s/, the parliament's own nouns at %s/", r.URL.Path, mirrorRoot, apiRoot))
}

// requestID is the header that names a request in logs.
const requestID = "X-Request-Id"

// aRequestID is what a client may name its request.
var aRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// identified gives each request an id, unless it has one.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestID)
		if !aRequestID.MatchString(id) {
			id = rand.Text()
		}
		w.Header().Set(requestID, id)
		next.ServeHTTP(w, r)
	})
}

// base returns the public address that links begin with.
func (g *Gateway) base(r *http.Request) string {
	if g.cfg.URL != "" {
		return strings.TrimRight(g.cfg.URL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
