package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/host/pgserver"
	"odastream/internal/migrate"
	"odastream/internal/test/checker"
	"odastream/internal/test/faultproxy"
	"odastream/internal/test/kafkaserver"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/program"
	"odastream/stream"
)

// duress is a separate Kafka and Postgres, which may be killed and started again, and
// sinks that reach them through proxies.
type duress struct {
	t    *testing.T
	rand *rand.Rand
	dir  string // of the programs

	kafkaDir   string
	broker     *kafkaserver.Server
	kafkaProxy *faultproxy.Proxy
	postgres   *pgserver.Server
	pgOptions  pgserver.Options
	pool       *pgxpool.Pool // for snapshots, without a proxy

	kafka  stream.Config
	raw    *kgo.Client
	pub    *stream.Publisher
	topics *stream.Topics
	scope  checker.Scope

	sinks     []*sinkProcess
	started   int
	author    *checker.Author
	records   int // acknowledged
	startedAt time.Time
	events    []string
}

// sinkProcess is the real program with its own proxy to Postgres.
type sinkProcess struct {
	*program.Process
	n      int
	proxy  *faultproxy.Proxy
	frozen bool
}

func newDuress(t *testing.T, seed uint64) *duress {
	t.Helper()
	kafkatest.Require(t)
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	d := &duress{
		t: t, dir: dir, rand: rand.New(rand.NewPCG(seed, 0xd00)), kafkaDir: t.TempDir(), startedAt: time.Now(),
		scope: checker.Scope{Group: "duress-sink", FirstID: 1, LastID: 1 << 40, TopicPrefix: "duress-"},
	}
	d.author = &checker.Author{Rand: d.rand, Entities: duressEntities(), FirstID: d.scope.FirstID, IDs: 100, Seq: 1_795_445_400_000_000}
	d.openPostgres()
	d.openKafka()
	return d
}

// openPostgres starts a server in a directory that its account can enter.
func (d *duress) openPostgres() {
	d.t.Helper()
	dir, err := os.MkdirTemp("", "odastream-duress-")
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // as root, Postgres runs as another account
		d.t.Fatal(err)
	}
	// Not volatile: a crash must lose nothing that was committed.
	d.pgOptions = pgserver.Options{Dir: filepath.Join(dir, "pg")}
	if d.postgres, err = pgserver.Start(d.t.Context(), d.pgOptions); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = d.postgres.Stop() })
	if err := migrate.Up(d.t.Context(), d.postgres.URL(), quiet()); err != nil {
		d.t.Fatal(err)
	}
	if d.pool, err = pgxpool.New(context.Background(), d.postgres.URL()); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(d.pool.Close)
}

// openKafka starts a broker that advertises the proxy's address.
func (d *duress) openKafka() {
	d.t.Helper()
	first, err := kafkaserver.Start(d.t.Context(), kafkaserver.Options{Dir: d.kafkaDir})
	if err != nil {
		d.t.Fatal(err)
	}
	first.Kill()
	d.kafkaProxy = faultproxy.New(d.t, first.Brokers()[0])
	d.startKafka()
	d.t.Cleanup(func() { d.broker.Kill() })
	d.kafka = stream.Config{Brokers: []string{d.kafkaProxy.Addr()}, TopicPrefix: d.scope.TopicPrefix, Partitions: 3}
	if d.raw, err = stream.NewClient(d.kafka, quiet()); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(d.raw.Close)
	if d.pub, err = stream.NewPublisher(d.kafka, quiet(), nil); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(d.pub.Close)
	d.topics = stream.NewTopics(d.raw, d.kafka, quiet())
	if err := d.topics.Ensure(d.t.Context(), duressEntities()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *duress) startKafka() {
	d.t.Helper()
	var err error
	d.broker, err = kafkaserver.Start(d.t.Context(), kafkaserver.Options{
		Dir: d.kafkaDir, Properties: map[string]string{"advertised.listeners": "PLAINTEXT://" + d.kafkaProxy.Addr()},
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func duressEntities() []string { return []string{"Sag", "Stemme"} }

func (d *duress) note(format string, args ...any) {
	d.events = append(d.events, fmt.Sprintf("%6.1f s  ", time.Since(d.startedAt).Seconds())+fmt.Sprintf(format, args...))
}

// start starts one more sink.
func (d *duress) start() {
	d.t.Helper()
	d.started++
	s := &sinkProcess{n: d.started}
	socket := strings.TrimPrefix(d.postgres.URL(), "postgres:///")
	_, query, _ := strings.Cut(socket, "?host=")
	host, _, _ := strings.Cut(query, "&")
	s.proxy = faultproxy.New(d.t, unescape(d.t, host)+"/.s.PGSQL.5432")
	cmd := exec.CommandContext(d.t.Context(), filepath.Join(d.dir, "sink"))
	cmd.Env = []string{
		"DATABASE_URL=postgres://postgres@" + s.proxy.Addr() + "/odastream?sslmode=disable", "KAFKA_BROKERS=" + d.kafkaProxy.Addr(),
		"KAFKA_TOPIC_PREFIX=" + d.kafka.TopicPrefix, "SINK_GROUP=" + d.scope.Group, "SINK_BATCH_ROWS=40", "SINK_LINGER=20ms",
		"HTTP_ADDR=", "CACHE_GIN=off", "LOG_FORMAT=text",
	}
	s.Process = program.Start(d.t, fmt.Sprintf("sink %d", s.n), cmd)
	d.sinks = append(d.sinks, s)
	d.note("sink %d starts, as one of %d", s.n, len(d.sinks))
}

// end removes a sink from the list.
func (d *duress) end(s *sinkProcess) {
	d.sinks = slices.DeleteFunc(d.sinks, func(other *sinkProcess) bool { return other == s })
}

// running returns the processes of all sinks.
func (d *duress) running() (all []*program.Process) {
	for _, s := range d.sinks {
		all = append(all, s.Process)
	}
	return all
}

// stop ends a sink in order, and fails unless it exits 0.
func (d *duress) stop(s *sinkProcess) {
	d.t.Helper()
	d.note("sink %d gets SIGTERM", s.n)
	d.end(s)
	s.Stop(d.t)
}
