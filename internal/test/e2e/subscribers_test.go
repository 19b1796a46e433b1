package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/host/pgserver"
	"odastream/internal/test/checker"
	"odastream/internal/test/machine"
	"odastream/internal/test/program"
	"odastream/internal/test/stand"
	"odastream/schema"
)

// gateways are two of them, which are killed and started again, and whoever follows the
// changes by HTTP, and one by SQL.
type gateways struct {
	d           *duress
	addrs       []string
	running     []*program.Process
	subscribers []*subscriber
	reader      *sqlReader

	follow   sync.WaitGroup
	stopping chan struct{}
}

// follower reads a page of changes, and reports whether there was anything on it.
type follower interface {
	page(ctx context.Context) (some bool, err error)
}

// startGateways starts two gateways, and those that follow the changes from the start.
func (d *duress) startGateways() *gateways {
	d.t.Helper()
	g := &gateways{d: d, stopping: make(chan struct{}), reader: &sqlReader{pool: d.pool, cursor: "start"}}
	for range 2 {
		l, err := new(net.ListenConfig).Listen(d.t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			d.t.Fatal(err)
		}
		g.addrs = append(g.addrs, l.Addr().String())
		_ = l.Close()
	}
	for n := range g.addrs {
		g.running = append(g.running, g.start(n))
	}
	for _, entities := range []string{"Sag,Stemme", "Sag", "Stemme"} {
		g.subscribers = append(g.subscribers, &subscriber{addrs: g.addrs, entities: entities, cursor: "start"})
	}
	for _, f := range g.followers() {
		g.follow.Go(func() {
			for {
				select {
				case <-g.stopping:
					return
				default:
					_, _ = f.page(d.t.Context()) // whatever is down comes back
				}
			}
		})
	}
	return g
}

func (g *gateways) followers() (all []follower) {
	for _, s := range g.subscribers {
		all = append(all, s)
	}
	return append(all, g.reader)
}

func (g *gateways) start(n int) *program.Process {
	cmd := exec.CommandContext(g.d.t.Context(), filepath.Join(g.d.dir, "gateway"))
	cmd.Env = []string{
		"DATABASE_URL=" + g.d.postgres.URL(), "KAFKA_BROKERS=" + g.d.kafkaProxy.Addr(), "KAFKA_TOPIC_PREFIX=" + g.d.kafka.TopicPrefix,
		"ODA_ENTITIES=" + strings.Join(duressEntities(), ","), "GATEWAY_ADDR=" + g.addrs[n], "HTTP_ADDR=", "LOG_FORMAT=text",
	}
	return program.Start(g.d.t, fmt.Sprintf("gateway %d", n+1), cmd)
}

// kill kills a gateway and starts it again.
func (g *gateways) kill() {
	n := g.d.rand.IntN(len(g.running))
	g.d.note("gateway %d is killed", n+1)
	if !g.running[n].Kill(g.d.t) {
		g.d.t.Errorf("ended by itself before it was killed: %s", g.running[n])
	}
	g.running[n] = g.start(n)
}

// end has everybody read what is left.
func (g *gateways) end() {
	close(g.stopping)
	g.follow.Wait()
	g.readOn()
}

// readOn reads what there is for everybody.
func (g *gateways) readOn() {
	g.d.t.Helper()
	for _, f := range g.followers() {
		var last error
		rest := machine.Wait{For: "the rest of the changes", Details: func() string { return fmt.Sprint(last) }}
		program.Await(g.d.t, rest, func() bool {
			var some bool
			some, last = f.page(g.d.t.Context())
			return last == nil && !some
		}, g.running...)
	}
}

// check fails the test unless everybody has seen what is there: each change once, and
// those of a row in the topic's order.
func (g *gateways) check(when string, told int) {
	g.d.t.Helper()
	for _, s := range g.subscribers {
		want := g.d.eventIDs(strings.Split(s.entities, ",")...)
		if diff := cmp.Diff(checker.ByRow(want), checker.ByRow(s.seen)); diff != "" {
			g.d.t.Errorf("%s a subscriber of %s has (-topics +seen):\n%s", when, s.entities, diff)
		}
	}
	rows, err := g.d.pool.Query(g.d.t.Context(), `SELECT `+historyEvent+` FROM parliamentary_history`)
	if err != nil {
		g.d.t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		g.d.t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(g.reader.seen))); diff != "" {
		g.d.t.Errorf("%s a reader of changes_after has (-history +seen):\n%s", when, diff)
	}
	if g.reader.told != told {
		g.d.t.Errorf("%s a reader of changes_after was told %d times that its cursor is too old, want %d", when, g.reader.told, told)
	}
}

// eventIDs are those of the changes that the topics hold.
func (d *duress) eventIDs(entities ...string) (list []string) {
	d.t.Helper()
	for _, entity := range entities {
		_, err := d.topics.ReadLog(d.t.Context(), entity, nil, func(records []*kgo.Record) error {
			for _, rec := range records {
				if m, err := d.kafka.Decode(rec); err == nil && !m.Tombstone {
					list = append(list, m.Change.EventID())
				}
			}
			return nil
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return list
}

// subscriber reads pages of changes from the gateways in turn.
type subscriber struct {
	addrs    []string
	entities string
	cursor   string
	turn     int
	seen     []string // the changes' event ids
}

func (s *subscriber) page(ctx context.Context) (some bool, err error) {
	s.turn++
	query := url.Values{"entity": {s.entities}, "after": {s.cursor}, "limit": {"50"}, "wait": {"200ms"}}
	address := "http://" + s.addrs[s.turn%len(s.addrs)] + "/v1/changes?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return false, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s: %s", address, res.Status)
	}
	var page struct {
		Changes []json.RawMessage `json:"changes"`
		Cursor  string            `json:"cursor"`
		More    bool              `json:"more"`
	}
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
		return false, err
	}
	for _, text := range page.Changes {
		c, err := schema.ParseChange(text)
		if err != nil {
			return false, err
		}
		s.seen = append(s.seen, c.EventID())
	}
	s.cursor = page.Cursor
	return len(page.Changes) > 0 || page.More, nil
}

// historyEvent is the event id of a row of the history.
const historyEvent = `entity_type || ':' || entity_id || ':' || seq`

// sqlReader reads pages of parliament.changes_after. When it is told that its cursor is
// too old, it begins again.
type sqlReader struct {
	pool   *pgxpool.Pool
	cursor string
	seen   []string
	told   int
}

func (r *sqlReader) page(ctx context.Context) (some bool, err error) {
	rows, err := r.pool.Query(ctx, `SELECT cursor, entity || ':' || id || ':' || seq FROM parliament.changes_after($1, 50)`, r.cursor)
	if err != nil {
		return false, err
	}
	cursor, event, seen := "", "", []string(nil)
	_, err = pgx.ForEachRow(rows, []any{&cursor, &event}, func() error {
		seen = append(seen, event)
		return nil
	})
	if old, ok := errors.AsType[*pgconn.PgError](err); ok && old.Code == "OD410" {
		r.told++
		r.cursor, r.seen = "start", nil
		return true, nil
	}
	if err != nil || len(seen) == 0 {
		return false, err
	}
	r.cursor, r.seen = cursor, append(r.seen, seen...)
	return true, nil
}

// backUp copies the database's files while it is shut down.
func (d *duress) backUp() {
	d.t.Helper()
	d.note("Postgres is backed up")
	d.exchange(d.pgOptions.Dir, d.pgOptions.Dir+".backup")
}

// restore puts the backup in the place of the database.
func (d *duress) restore() {
	d.t.Helper()
	d.note("Postgres is restored")
	d.exchange(d.pgOptions.Dir+".backup", d.pgOptions.Dir)
}

// exchange copies the files of a cluster while no server runs.
func (d *duress) exchange(from, to string) {
	d.t.Helper()
	if err := d.postgres.Stop(); err != nil {
		d.t.Fatal(err)
	}
	if err := os.RemoveAll(to); err != nil {
		d.t.Fatal(err)
	}
	if out, err := exec.CommandContext(d.t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		d.t.Fatalf("copy the cluster: %v: %s", err, out)
	}
	var err error
	if d.postgres, err = pgserver.Start(d.t.Context(), d.pgOptions); err != nil {
		d.t.Fatal(err)
	}
}

// checkRestored restores the backup, and has sinks apply again what it lacks.
func (d *duress) checkRestored(g *gateways) {
	d.t.Helper()
	d.restore()
	d.scale(2)
	d.publish(100)
	d.awaitApplied(d.log())
	g.readOn()
	g.check("after the restore", 1)
	for len(d.sinks) > 0 {
		d.stop(d.sinks[0])
	}
}

// log returns what the topics hold.
func (d *duress) log() *checker.Log {
	return stand.Log(d.t, d.topics, d.kafka, d.records, duressEntities()...)
}
