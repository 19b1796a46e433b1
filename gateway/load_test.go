package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/gateway"
	"odastream/internal/test/machine"
)

// locked locks the rows of an entity's partition until release is called, so that queries
// of it wait.
func (r *rig) locked(partition string) (release func()) {
	r.t.Helper()
	tx, err := r.writer().BeginTx(r.t.Context(), pgx.TxOptions{AccessMode: pgx.ReadWrite})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := tx.Exec(r.t.Context(), "LOCK TABLE "+partition+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(r.t.Context()); err != nil {
			r.t.Error(err)
		}
	}
}

// waiting returns how many sessions of gateways wait for a lock.
func (r *rig) waiting() (n int) {
	r.t.Helper()
	const sql = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'`
	if err := r.asOwner().QueryRow(r.t.Context(), sql).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

const complexPath = "/api/Sagskategori?$filter=substringof('x',kategori)"

// What costs much does not take the places of what costs little, and what has no place is
// refused with the time after which to come back.
func TestNoClassTakesTheOthersPlaces(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.Complex, c.Timeout = 1, time.Minute })
	release := r.locked("parliamentary_data_sagskategori")
	first := make(chan reply)
	go func() { first <- r.get(complexPath) }()
	machine.Until(t, "the first request to hold its place", func() bool { return r.waiting() == 1 })
	replies := make(chan reply)
	for range 3 { // one waits for a second, two are refused at once
		go func() { replies <- r.get(complexPath) }()
	}
	for range 3 {
		got := <-replies
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, "too many") {
			t.Errorf("a request beyond the places of its class = %d %v %s", got.status, got.header, got.body)
		}
	}
	for path, class := range map[string]string{"/api/Sag(3)": "simple", "/api/Sag?$expand=Periode": "medium"} {
		if got := r.get(path); got.status != http.StatusOK {
			t.Errorf("a %s request = %d %s while complex ones wait", class, got.status, got.body)
			continue
		}
		machine.Until(t, "one "+class+" request to be counted, which is done behind the answer", func() bool {
			return r.metric("odastream_gateway_requests_total", map[string]string{"class": class, "status_code": "200"}) == 1
		})
	}
	release()
	if got := <-first; got.status != http.StatusOK {
		t.Errorf("the request that held its place = %d %s", got.status, got.body)
	}
	if got := r.get(complexPath); got.status != http.StatusOK {
		t.Errorf("after all = %d %s: a place was not given back", got.status, got.body)
	}
}

// Where fields without an index are compared, Postgres knows whether that is much.
func TestAClassInDoubtIsSettledByWhatPostgresExpects(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, class := range []string{"medium", "complex"} {
		if class == "complex" { // as if the entity had a billion rows to a page
			r.exec(`UPDATE pg_class SET reltuples = 1e9, relpages = 1 WHERE relname = 'parliamentary_data_sag'`)
		}
		counted := func() float64 {
			return r.metric("odastream_gateway_requests_total", map[string]string{"class": class, "status_code": "200"})
		}
		for _, path := range []string{"/api/Sag/$count?$filter=typeid%20eq%203", "/api/Sag?$orderby=titel", "/api/Sag?$orderby=titel&$inlinecount=allpages"} {
			before := counted()
			if got := r.get(path); got.status != http.StatusOK {
				t.Errorf("%s = %d %s", path, got.status, got.body)
			}
			machine.Until(t, path+" to be counted as "+class, func() bool { return counted() == before+1 })
		}
	}
}

func TestAQueryThatTakesTooLongEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.Timeout = 300 * time.Millisecond })
	release := r.locked("parliamentary_data_sagskategori")
	defer release()
	got := r.get("/api/Sagskategori(1)")
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "too long") {
		t.Errorf("GET = %d %v %s", got.status, got.header, got.body)
	}
	machine.Until(t, "the statement to end", func() bool { return r.waiting() == 0 })
}

// A client that goes away takes its query with it.
func TestAQueryWithoutAClientEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.Timeout = 5 * time.Minute })
	release := r.locked("parliamentary_data_sagskategori")
	defer release()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/api/Sagskategori(1)", http.NoBody)
		if err == nil {
			_, err = http.DefaultClient.Do(req) //nolint:bodyclose // it never answers
		}
		gone <- err
	}()
	machine.Until(t, "the query to run", func() bool { return r.waiting() == 1 })
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	machine.Until(t, "the query to end", func() bool { return r.waiting() == 0 })
}

// What is no client's business is in the log, not in the answer.
func TestACopyThatCannotBeReadIsAnOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.exec(`ALTER TABLE parliamentary_data RENAME TO away`)
	got := r.get("/api/Sag(3)")
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || strings.Contains(got.body, "parliamentary_data") {
		t.Errorf("GET = %d %v %s", got.status, got.header, got.body)
	}
	r.exec(`ALTER TABLE away RENAME TO parliamentary_data`)
	if got := r.get("/api/Sag(3)"); got.status != http.StatusOK {
		t.Errorf("GET after the outage = %d %s", got.status, got.body)
	}
}
