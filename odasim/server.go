package odasim

import (
	"net/http"
	"sync"
	"sync/atomic"

	"odastream/internal/pause"
	"odastream/odata"
)

// Root is the path under which the sets are served.
const Root = "/api"

// Server is the simulated parliament. It is an http.Handler, safe for
// concurrent use, and so are all of its methods: a page is one consistent view
// of its set.
type Server struct {
	options Options
	model   *odata.Model
	clock   clock
	sets    map[string]*set
	names   []string // of the sets, in the order of the service document
	served  atomic.Int64
	faults  faultSource

	lateMu sync.Mutex
	late   []lateRow

	writing   sync.Mutex // one event at a time
	chronicle *chronicle
}

// New returns a parliament without rows; Load, Generate and Put add them. It panics on
// options that Validate refuses.
func New(o Options) *Server {
	o, err := o.complete()
	if err != nil {
		panic("odasim: " + err.Error())
	}
	s := &Server{options: o, model: odata.NewModel(o.Entities), clock: clock{drive: o.Now}, sets: map[string]*set{}}
	for _, e := range o.Entities {
		s.sets[e.Name] = newSet(e)
		if o.Lag > 0 {
			s.sets[e.Name].second = &secondNode{lag: o.Lag, now: s.Now, set: newSet(e), fresh: map[int64]int{}}
		}
		s.names = append(s.names, e.Name)
	}
	return s
}

// Requests returns the number of requests that were answered or spoiled so far.
func (s *Server) Requests() int64 { return s.served.Load() }

// ServeHTTP answers as the service would, or as a fault demands.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.served.Add(1)
	s.showLate()
	f := s.faults.draw()
	if pause.For(r.Context(), f.latency) != nil {
		return
	}
	a := s.reply(r, f)
	if a.status == http.StatusFound && a.location == "" {
		a.location = r.URL.String()
	}
	if s.options.Gzip && a.encoding == "" {
		a.compress(r)
	}
	s.headers(w.Header(), a)
	f.send(w, r, a)
}

// headers sets the headers that IIS sends with every answer.
func (s *Server) headers(h http.Header, a reply) {
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Server", "Microsoft-IIS/8.5")
	h.Set("X-AspNet-Version", "4.0.30319")
	h.Set("X-Powered-By", "ASP.NET")
	h.Set("DataServiceVersion", "3.0")
	if a.encoding != "" {
		h.Set("Content-Encoding", a.encoding)
		h.Set("Vary", "Accept-Encoding")
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.retryAfter != "" {
		h.Set("Retry-After", a.retryAfter)
	}
	// A nil value keeps net/http from filling these in.
	h["Content-Type"], h["Date"] = nil, nil
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	if !s.options.NoDate {
		h.Set("Date", s.Now().UTC().Format(http.TimeFormat))
	}
}
