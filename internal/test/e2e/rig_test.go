package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// patience bounds every wait; nothing takes nearly as long.
const patience = 5 * time.Minute

// programs builds poller, sink and odastream once and says where they are.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "odastream-e2e-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+"/", "odastream/cmd/poller", "odastream/cmd/sink", "odastream/cmd/odastream").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// rig is a parliament, a database and a prefix of topics on the broker.
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

// command is a program with the rig's environment.
func (r *rig) command(program string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(r.t.Context(), filepath.Join(r.dir, program), args...)
	cmd.Env = append([]string{
		"DATABASE_URL=" + r.url, "KAFKA_BROKERS=" + strings.Join(r.kafka.Brokers, ","), "KAFKA_TOPIC_PREFIX=" + r.kafka.TopicPrefix,
		"SINK_GROUP=" + r.kafka.TopicPrefix + "sink", "ODA_URL=" + r.source, "ODA_RATE=0", "ODA_CONCURRENCY=8",
		"HTTP_ADDR=", "POLL_LEASE=12s", "LOG_FORMAT=text",
	}, r.env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	return cmd, &log
}

// must runs a program to its end and fails unless it exits 0.
func (r *rig) must(program string, args ...string) {
	r.t.Helper()
	cmd, log := r.command(program, args...)
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, tailOf(log))
	}
}

func tailOf(log *bytes.Buffer) string {
	text := log.String()
	return text[max(0, len(text)-4000):]
}

// kill runs a program, kills it with SIGKILL once moment returns, and calls what
// moment returned, if anything. It is false if the program ended before.
func (r *rig) kill(moment func(ctx context.Context) (after func()), program string, args ...string) bool {
	r.t.Helper()
	cmd, log := r.command(program, args...)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		cancel()
	}()
	after := moment(ctx)
	_ = cmd.Process.Signal(syscall.SIGKILL) // it may have ended already
	err := <-ended
	cancel()
	if after != nil {
		after()
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 0) {
		r.t.Fatalf("%s ended with %v before it was killed\n%s", program, err, tailOf(log))
	}
	return err != nil
}

// await returns once ok is true, or ctx has ended.
func await(ctx context.Context, ok func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// number asks the database for one number; 0 while it cannot answer.
func (r *rig) number(sql string) (n int64) {
	if err := r.pool.QueryRow(r.t.Context(), sql).Scan(&n); err != nil {
		return 0
	}
	return n
}

// records is how many records the topic of entity holds.
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
// parliamentary_data, none missing and none extra. It returns how many there are.
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

// polled are the entities that are followed unless ODA_ENTITIES says otherwise.
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

// checkNothingTwice fails if a topic holds the same version of a row twice in a
// row, or a seq that does not grow.
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
					r.t.Errorf("%s stands on its topic twice: seq %d and %d", m.Change.Key(), before.Seq, m.Change.Seq)
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

// capture is the folder of a capture of real rows; the test is skipped out loud
// where it is missing.
func capture(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "oda")
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

// acknowledged is how many records stand on all topics.
func (r *rig) acknowledged() (n int64) {
	for _, name := range polled() {
		n += r.records(name)
	}
	return n
}

// saved is how many of them the ledger knows.
func (r *rig) saved() int64 { return r.number(`SELECT count(*) FROM poller_ledger`) }

// freeLeases lets the time pass that a killed poller's leases run on.
func (r *rig) freeLeases() {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), `UPDATE poller_leases SET expires_at = '-infinity'`); err != nil {
		r.t.Fatal(err)
	}
}
