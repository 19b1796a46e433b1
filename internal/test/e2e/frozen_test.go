package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/test/faultproxy"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/odasim"
)

// saving lists the statements of a save in which the test freezes the poller: the SQL that
// blocks the statement, and a query that counts the saves in it.
var saving = map[string]struct{ hold, at string }{
	"while it copies its rows": {"", `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'copy "pg_temp"."poller_saved"%'`},
	"at its lease":             {`SELECT FROM poller_leases FOR UPDATE`, waitsAt("transactionid")},
	"in the ledger":            {`LOCK poller_ledger IN SHARE MODE`, waitsAt("poller_ledger")},
	"in the progress":          {`LOCK poller_watermarks IN SHARE MODE`, waitsAt("poller_watermarks")},
	"in the positions":         {`LOCK poller_positions IN SHARE MODE`, waitsAt("poller_positions")},
}

// waitsAt counts the saves that wait for a lock of a kind, or of a relation.
func waitsAt(what string) string {
	return `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database() AND NOT l.granted
AND a.query LIKE '%FOR UPDATE) AS held%' AND '` + what + `' IN (l.locktype, l.relation::regclass::text)`
}

// A poller is stopped in any statement of a save: another one takes the entity when the
// lease is over. When the first one wakes up, it saves nothing more of the entity.
func TestAPollerFrozenInASaveHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for claim, c := range saving {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kafkatest.Fake(t), odasim.Options{}, "ODA_ENTITIES=Sag", "POLL_INTERVAL=500ms", "SCAN_EVERY=0")
			r.sim.Generate(3, 0.1)
			proxy := r.behindProxy()
			r.must("odastream", "migrate")
			frozen := r.start("poller", "DATABASE_URL="+proxy.url)
			leased := func() bool { return r.number(`SELECT count(*) FROM poller_leases`) > 0 }
			program.Await(t, machine.Wait{For: "the poller to have the entity"}, leased, frozen)
			if c.hold == "" {
				proxy.Delay(200 * time.Millisecond)
			}
			release := r.hold(c.hold)
			program.Await(t, machine.Wait{For: "a save " + claim}, func() bool {
				r.addRow()
				return r.number(c.at) > 0
			}, frozen)
			if c.hold == "" {
				proxy.Silence()
			}
			frozen.Signal(syscall.SIGSTOP)
			stopped := time.Now()
			release()
			other := r.start("poller")
			program.Await(t, machine.Wait{For: "another poller to take the entity"}, func() bool {
				return r.number(`SELECT epoch FROM poller_leases`) > 1
			}, other)
			if took, most := time.Since(stopped), rigLease+machine.AtLeast(6*time.Second); took > most {
				t.Errorf("another poller had the entity after %s, want %s at most", took, most)
			}
			if c.hold == "" && r.number(c.at) == 0 {
				t.Error("the frozen poller was not within its COPY meanwhile: the test shows nothing")
			}
			program.Await(t, machine.Wait{For: "all rows to be saved", Progress: r.steps}, func() bool {
				return r.number(`SELECT count(*) FROM poller_ledger`) == int64(r.sim.Len("Sag"))
			}, other)
			frozen.Signal(syscall.SIGCONT)
			r.must("sink", "--once")
			if rows := r.checkCopyOf("Sag"); rows == 0 {
				t.Error("the source has no rows: the test shows nothing")
			}
			other.Stop(t)
			if c.hold != "" { // the other one has lost its database for good
				frozen.Stop(t)
			}
		})
	}
}

// addRow gives the source another row, so that there is something to save.
func (r *rig) addRow() {
	r.t.Helper()
	id := 1_000_000 + r.sim.Len("Sag")
	if err := r.sim.Put("Sag", fmt.Appendf(nil, `{"id":%d,"titel":"ny","opdateringsdato":%q}`, id, odasim.Stamp(r.sim.Now()))); err != nil {
		r.t.Fatal(err)
	}
}

// start starts a program with more environment.
func (r *rig) start(name string, env ...string) *program.Process {
	r.t.Helper()
	cmd := r.command(name)
	cmd.Env = append(cmd.Env, env...)
	return program.Start(r.t, name, cmd)
}

// hold runs sql in a transaction, which release ends.
func (r *rig) hold(sql string) (release func()) {
	r.t.Helper()
	if sql == "" {
		return func() {}
	}
	conn, err := pgx.Connect(r.t.Context(), r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := conn.Exec(r.t.Context(), "BEGIN; "+sql); err != nil {
		r.t.Fatal(err)
	}
	release = func() { _ = conn.Close(context.WithoutCancel(r.t.Context())) }
	r.t.Cleanup(release)
	return release
}

// proxied is a slow way to the database.
type proxied struct {
	*faultproxy.Proxy
	url string
}

func (r *rig) behindProxy() proxied {
	r.t.Helper()
	u, err := url.Parse(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	q := u.Query()
	p := proxied{Proxy: faultproxy.New(r.t, strings.TrimSuffix(q.Get("host"), "/")+"/.s.PGSQL.5432")}
	q.Del("host")
	q.Del("port")
	u.Host, u.RawQuery = p.Addr(), q.Encode()
	p.url = u.String()
	p.Delay(20 * time.Millisecond)
	return p
}
