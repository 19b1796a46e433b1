package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/program"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// programs builds poller, sink, gateway and odastream once and returns their directory.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "odastream-e2e-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+"/", "odastream/cmd/poller", "odastream/cmd/sink", "odastream/cmd/gateway", "odastream/cmd/odastream").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	machine.Parallel("6")
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// rigLease is the shortest lease that a poller may have.
const rigLease = 12 * time.Second

// rig is a parliament, a database, and a topic prefix on the broker.
type rig struct {
	t      testing.TB
	dir    string
	sim    *odasim.Server
	source string
	url    string
	pool   *pgxpool.Pool
	kafka  stream.Config
	client *kgo.Client
	topics *stream.Topics
	env    []string
}

func newRig(t testing.TB, brokers []string, o odasim.Options, env ...string) *rig {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, dir: dir, sim: odasim.New(o), url: pgtest.Empty(t), env: env,
		kafka: stream.Config{Brokers: brokers, TopicPrefix: kafkatest.Prefix(t), Partitions: 3},
	}
	server := httptest.NewServer(r.sim)
	t.Cleanup(server.Close)
	r.source = server.URL + "/api"
	if r.pool, err = pgxpool.New(t.Context(), r.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pool.Close)
	if r.client, err = stream.NewClient(r.kafka, quiet()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	r.topics = stream.NewTopics(r.client, r.kafka, quiet())
	return r
}

// command returns a program with the rig's environment.
func (r *rig) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(r.t.Context(), filepath.Join(r.dir, name), args...)
	cmd.Env = append([]string{
		"DATABASE_URL=" + r.url, "KAFKA_BROKERS=" + strings.Join(r.kafka.Brokers, ","), "KAFKA_TOPIC_PREFIX=" + r.kafka.TopicPrefix,
		"SINK_GROUP=" + r.kafka.TopicPrefix + "sink", "ODA_URL=" + r.source, "ODA_RATE=0", "ODA_CONCURRENCY=8",
		"HTTP_ADDR=", "POLL_LEASE=" + rigLease.String(), "LOG_FORMAT=text",
	}, r.env...)
	return cmd
}

// must runs a program to its end and fails unless it exits 0.
func (r *rig) must(name string, args ...string) {
	r.t.Helper()
	p := program.Start(r.t, name, r.command(name, args...))
	if err := r.end(p); err != nil {
		r.t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, p)
	}
}

// end waits for a program that ends by itself, and returns how it ended.
func (r *rig) end(p *program.Process) error {
	r.t.Helper()
	p.Until(r.t, machine.Wait{For: "the end of a program", Progress: r.steps}, func() bool { return false })
	return p.Wait()
}

// steps returns a value that changes with each request to the source and each record that
// is applied.
func (r *rig) steps() any {
	return [2]int64{int64(r.sim.Requests()), r.number(`SELECT sum(next_offset) FROM sink_offsets`)}
}

// kill runs a program, kills it with SIGKILL once moment returns, and calls the function
// that moment returned, if any. It returns false if the program ended before.
func (r *rig) kill(moment func(p *program.Process) (after func()), name string, args ...string) bool {
	r.t.Helper()
	p := program.Start(r.t, name, r.command(name, args...))
	after := moment(p)
	killed := p.Kill(r.t)
	if after != nil {
		after()
	}
	return killed
}

// number returns one number from the database; 0 while it cannot answer.
func (r *rig) number(sql string) (n int64) {
	if err := r.pool.QueryRow(r.t.Context(), sql).Scan(&n); err != nil {
		return 0
	}
	return n
}

// records returns the number of records on the topic of entity.
func (r *rig) records(entity string) (n int64) {
	state, err := r.topics.State(r.t.Context(), entity)
	if err != nil {
		return 0
	}
	for _, end := range state.End {
		n += end
	}
	return n
}

// checkCopy fails unless every row of every entity at the source is equal in
// parliamentary_data, none missing and none extra. It returns the number of rows.
func (r *rig) checkCopy() (rows int) {
	r.t.Helper()
	return r.checkCopyOf(polled()...)
}

// checkCopyOf is checkCopy for some entities.
func (r *rig) checkCopyOf(entities ...string) (rows int) {
	r.t.Helper()
	for _, name := range entities {
		want := r.sim.Rows(name)
		got := r.cached(name)
		if len(got) != len(want) {
			r.t.Errorf("%s: %d rows in the cache, %d at the source", name, len(got), len(want))
		}
		for _, data := range want {
			r.checkRow(name, data, got)
		}
		rows += len(want)
	}
	return rows
}

// polled returns the entities that are followed by default, without ODA_ENTITIES.
func polled() (names []string) {
	for _, e := range schema.Entities() {
		if !e.Subset {
			names = append(names, e.Name)
		}
	}
	return names
}

func (r *rig) checkRow(entity string, data []byte, got map[int64][]byte) {
	r.t.Helper()
	id := rowID(r.t, data)
	wanted, err := schema.ContentHash(data)
	if err != nil {
		r.t.Fatal(err)
	}
	cached, err := schema.ContentHash(got[id])
	if err != nil || cached != wanted {
		r.t.Errorf("%s is %s in the cache, %s at the source", schema.Key(entity, id), got[id], data)
	}
}

func (r *rig) cached(entity string) map[int64][]byte {
	r.t.Helper()
	rows, err := r.pool.Query(r.t.Context(), `SELECT entity_id, data::text FROM parliamentary_data WHERE entity_type = $1`, entity)
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[int64][]byte{}
	var id int64
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&id, &data}, func() error { got[id] = data; return nil }); err != nil {
		r.t.Fatal(err)
	}
	return got
}

// checkNothingTwice fails if a topic holds the same version of a row twice in succession,
// or a seq that does not grow.
func (r *rig) checkNothingTwice() {
	r.t.Helper()
	for _, entity := range polled() {
		last := map[int64]schema.Change{}
		_, err := r.topics.ReadLog(r.t.Context(), entity, nil, func(records []*kgo.Record) error {
			for _, rec := range records {
				m, err := stream.Decode(rec)
				if err != nil {
					return err
				}
				before, known := last[m.Change.ID]
				if known && (before.Seq >= m.Change.Seq || bytes.Equal(before.Data, m.Change.Data)) {
					r.t.Errorf("%s is on its topic twice: seq %d and %d", m.Change.Key(), before.Seq, m.Change.Seq)
				}
				last[m.Change.ID] = m.Change
			}
			return nil
		})
		if err != nil && !errors.Is(err, stream.ErrNoTopic) {
			r.t.Fatal(err)
		}
	}
}

// capture returns the folder of a capture of real rows. If it is missing, the test is
// skipped and logs why.
func capture(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "oda")
	}
	dir := filepath.Join(root, "snapshots", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("REAL ROWS MISSING: %v (ODASTREAM_REAL_ROWS says where they are)", err)
	}
	return dir
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func rowID(t testing.TB, data []byte) (id int64) {
	t.Helper()
	if _, err := fmt.Sscanf(string(data), `{"id":%d`, &id); err != nil {
		t.Fatalf("row %s: %v", data, err)
	}
	return id
}

// acknowledged returns the number of records on all topics.
func (r *rig) acknowledged() (n int64) {
	for _, name := range polled() {
		n += r.records(name)
	}
	return n
}

// saved returns how many of them are in the ledger.
func (r *rig) saved() int64 { return r.number(`SELECT count(*) FROM poller_ledger`) }

// freeLeases waits until a killed poller's leases have expired.
func (r *rig) freeLeases() {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), `UPDATE poller_leases SET expires_at = '-infinity'`); err != nil {
		r.t.Fatal(err)
	}
}
