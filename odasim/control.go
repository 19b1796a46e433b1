package odasim

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// ControlRoot is the path under which Control is served.
const ControlRoot = "/sim"

// Control returns a handler by which a test in any language changes the parliament while
// it is served: rows, faults, clock, events. It answers a bad command with 400 and the
// reason in a line of text.
//
//	PUT    /sim/rows/{set}                 the body, a row, as it is
//	PUT    /sim/rows/{set}?at=RFC3339      the same, seen only at that time
//	PATCH  /sim/rows/{set}/{id}            the body's members; the stamp changes only if it is one of them
//	DELETE /sim/rows/{set}/{id}            without a trace
//	PUT    /sim/missing/{set}?missing=BOOL 404 for the set, or not
//	PUT    /sim/faults?error-rate=0.1&…    the faults, by the names of Faults.Flags, and seed; others become zero
//	PUT    /sim/now?now=RFC3339            the clock
//	POST   /sim/step                       one event happens; the answer says which
//	GET    /sim/counts                     requests and faults so far, JSON
func (s *Server) Control() http.Handler {
	m := http.NewServeMux()
	for pattern, do := range map[string]func(*http.Request) (any, error){
		"PUT /rows/{set}":         s.controlPut,
		"PATCH /rows/{set}/{id}":  s.controlEdit,
		"DELETE /rows/{set}/{id}": s.controlDelete,
		"PUT /missing/{set}":      s.controlMissing,
		"PUT /faults":             s.controlFaults,
		"PUT /now":                s.controlNow,
		"POST /step":              func(*http.Request) (any, error) { return map[string]string{"what": s.Step()}, nil },
		"GET /counts":             s.controlCounts,
	} {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { control(w, r, do) })
	}
	return http.StripPrefix(ControlRoot, m)
}

// control runs one command and writes the answer.
func control(w http.ResponseWriter, r *http.Request, do func(*http.Request) (any, error)) {
	answer, err := do(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// controlRowLimit is far above the largest row of the source.
const controlRowLimit = 64 << 20

func (s *Server) controlPut(r *http.Request) (any, error) {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, controlRowLimit))
	if err != nil {
		return nil, fmt.Errorf("read row: %w", err)
	}
	at := r.FormValue("at")
	if at == "" {
		return nil, s.Put(r.PathValue("set"), data)
	}
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return nil, fmt.Errorf("put late row: %w", err)
	}
	return nil, s.PutLate(r.PathValue("set"), data, t)
}

func (s *Server) controlEdit(r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("edit row: %w", err)
	}
	var changed map[string]json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, controlRowLimit)).Decode(&changed); err != nil {
		return nil, fmt.Errorf("edit row: read members: %w", err)
	}
	return nil, s.edit(r.PathValue("set"), id, changed)
}

func (s *Server) controlDelete(r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("delete row: %w", err)
	}
	if !s.Delete(r.PathValue("set"), id) {
		return nil, fmt.Errorf("delete row %d of %s: no such row", id, r.PathValue("set"))
	}
	return nil, nil
}

func (s *Server) controlMissing(r *http.Request) (any, error) {
	missing, err := strconv.ParseBool(r.FormValue("missing"))
	if err != nil {
		return nil, fmt.Errorf("set missing: %w", err)
	}
	return nil, s.SetMissing(r.PathValue("set"), missing)
}

func (s *Server) controlFaults(r *http.Request) (any, error) {
	var f Faults
	set := flag.NewFlagSet("faults", flag.ContinueOnError)
	f.Flags(set)
	set.Uint64Var(&f.Seed, "seed", 0, "of the faults")
	for name, values := range r.URL.Query() {
		for _, value := range values {
			if err := set.Set(name, value); err != nil {
				return nil, fmt.Errorf("set fault %s: %w", name, err)
			}
		}
	}
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("set faults: %w", err)
	}
	s.SetFaults(f)
	return nil, nil
}

func (s *Server) controlNow(r *http.Request) (any, error) {
	now, err := time.Parse(time.RFC3339, r.FormValue("now"))
	if err != nil {
		return nil, errors.New("set clock: now is not a time such as 2026-11-23T16:00:00+01:00")
	}
	s.SetNow(now)
	return nil, nil
}

func (s *Server) controlCounts(*http.Request) (any, error) {
	return struct {
		Requests int64
		Faults   FaultCounts
	}{s.Requests(), s.FaultCounts()}, nil
}
