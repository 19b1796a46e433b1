package odasim

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"odastream/internal/pause"
)

// replacement returns the answer that a fault sends in place of the true one.
func (f fault) replacement() (reply, bool) {
	switch f.kind {
	case errorFault:
		return reply{status: f.status, contentType: htmlType, retryAfter: f.retryAfter, body: []byte(errorPage)}, true
	case htmlFault:
		return found(htmlType, []byte(noticePage)), true
	case redirectFault:
		return reply{status: http.StatusFound, location: f.location}, true
	case bombFault:
		a := found(jsonType, bomb())
		a.encoding = "gzip"
		return a, true
	default:
		return reply{}, false
	}
}

// bomb returns a page of twelve million elements, in gzip.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, _ = io.WriteString(zip, `{"odata.metadata":"x","value":[`)
	part := strings.Repeat("0,", 1000)
	for range 12_000 {
		_, _ = io.WriteString(zip, part)
	}
	_, _ = io.WriteString(zip, "0]}")
	_ = zip.Close() // a buffer accepts all
	return b.Bytes()
})

// dropFilter removes the filter if the fault says so.
func (f fault) dropFilter(q *query) {
	if f.unfiltered {
		q.filter = nil
	}
}

// rowLimit returns the number of rows that a page with this limit may hold.
func (f fault) rowLimit(limit int) int {
	if f.oversized {
		return math.MaxInt32
	}
	if f.short == 0 || limit < 2 {
		return limit
	}
	return 1 + int(f.short*float64(limit-1))
}

// disorder puts rows in a wrong order: each one moves.
func (f fault) disorder(rows [][]byte) {
	if f.rotate == 0 || len(rows) < 2 {
		return
	}
	n := 1 + f.rotate%(len(rows)-1)
	slices.Reverse(rows[:n])
	slices.Reverse(rows[n:])
	slices.Reverse(rows)
}

// send writes the answer, or the part of it that the fault allows.
func (f fault) send(w http.ResponseWriter, r *http.Request, a reply) {
	switch f.kind {
	case resetFault:
		reset(w)
		return
	case shortBodyFault:
		a.body = a.body[:len(a.body)/2]
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	half := len(a.body) / 2
	switch f.kind {
	case abortFault:
		push(w, a.body[:half])
		panic(http.ErrAbortHandler) // net/http's own way to cut a connection
	case stallFault:
		push(w, a.body[:half])
		if pause.For(r.Context(), f.stall) != nil {
			return
		}
		a.body = a.body[half:]
	}
	// The client may be gone; the error has no reader.
	_, _ = w.Write(a.body)
}

// push writes a part of the body and flushes it.
func push(w http.ResponseWriter, part []byte) {
	_, _ = w.Write(part)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// reset ends the connection with an RST instead of an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close would be orderly
	}
	_ = conn.Close()
}
