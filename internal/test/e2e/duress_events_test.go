package e2e

import (
	"context"
	"errors"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/host/pgserver"
	"odastream/internal/test/checker"
	"odastream/internal/test/machine"
	"odastream/schema"
)

// beyondSession is longer than the session timeout of the group.
const beyondSession = 13 * time.Second

func unescape(t *testing.T, text string) string {
	t.Helper()
	plain, err := url.QueryUnescape(text)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// pause waits while everything runs.
func (d *duress) pause(t time.Duration) {
	select {
	case <-time.After(t):
	case <-d.t.Context().Done():
	}
}

func (d *duress) scale(n int) {
	for len(d.sinks) < n {
		d.start()
	}
	for len(d.sinks) > n {
		d.stop(d.any())
	}
}

// any returns a sink that is not frozen.
func (d *duress) any() *sinkProcess {
	for {
		if s := d.sinks[d.rand.IntN(len(d.sinks))]; !s.frozen {
			return s
		}
	}
}

func (d *duress) kill() {
	s := d.any()
	d.note("sink %d is killed", s.n)
	if !s.Kill(d.t) {
		d.t.Errorf("ended by itself before it was killed: %s", s)
	}
	d.end(s)
	d.start()
}

// freeze stops a sink for longer than its session. It continues when awake is called, or
// by itself.
func (d *duress) freeze() (awake func()) {
	s := d.any()
	d.note("sink %d is frozen", s.n)
	s.Signal(syscall.SIGSTOP)
	s.frozen = true
	until := time.Now().Add(beyondSession)
	return func() {
		d.pause(time.Until(until))
		d.note("sink %d continues", s.n)
		s.Signal(syscall.SIGCONT)
		s.frozen = false
	}
}

// restartPostgres shuts the server down, which cuts off all sessions.
func (d *duress) restartPostgres() {
	d.note("Postgres restarts")
	if err := d.postgres.Stop(); err != nil {
		d.t.Fatal(err)
	}
	var err error
	if d.postgres, err = pgserver.Start(d.t.Context(), d.pgOptions); err != nil {
		d.t.Fatal(err)
	}
}

// crashPostgres kills one of its processes with SIGKILL: the server then ends all
// others and recovers from its log.
func (d *duress) crashPostgres() {
	d.note("a process of Postgres is killed")
	conn, err := pgx.Connect(d.t.Context(), d.postgres.URL())
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(d.t.Context())) }()
	var pid int
	if err := conn.QueryRow(d.t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		d.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Fatal(err)
	}
}

func (d *duress) restartKafka() {
	d.note("the broker restarts")
	if err := d.broker.Stop(); err != nil {
		d.t.Fatal(err)
	}
	d.startKafka()
}

func (d *duress) killKafka() {
	d.note("the broker is killed")
	d.broker.Kill()
	d.startKafka()
}

// reset breaks every connection to the broker, and a sink's connection to Postgres in the
// middle of its data.
func (d *duress) reset() {
	s := d.any()
	bytes := 1 + d.rand.IntN(20_000)
	d.note("connections are reset, sink %d's to Postgres after %d bytes", s.n, bytes)
	tripped := s.proxy.DownAfter(bytes)
	d.kafkaProxy.Down()
	if err := d.kafkaProxy.Up(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.publish(100)
	select {
	case <-tripped:
	case <-time.After(machine.AtLeast(5 * time.Second)): // the sink has nothing to do
		s.proxy.DownAfter(0)
		s.proxy.Down()
	}
	if err := s.proxy.Up(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// slow makes the links slow for a while.
func (d *duress) slow() {
	s := d.any()
	d.note("the links to the broker and sink %d's to Postgres are slow", s.n)
	d.kafkaProxy.Delay(30 * time.Millisecond)
	s.proxy.Delay(100 * time.Millisecond)
	d.publish(100)
	d.pause(machine.AtLeast(3 * time.Second))
	d.kafkaProxy.Delay(0)
	s.proxy.Delay(0)
}

// publish writes changes, among them some that no sink can apply and some that are long
// out of date.
func (d *duress) publish(n int) {
	d.t.Helper()
	for n > 0 {
		var changes []schema.Change
		for range min(n, 20) {
			changes = append(changes, d.author.Change())
		}
		if old := d.author.Old; len(old) > 100 {
			changes = append(changes, old[d.rand.IntN(len(old)-100)])
		}
		if _, err := d.pub.Publish(d.t.Context(), changes); err != nil {
			d.t.Fatalf("publish %d changes: %v", len(changes), err)
		}
		d.records += checker.Records(changes)
		n -= 20
		if d.rand.IntN(4) == 0 {
			d.publishBroken()
		}
	}
}

func (d *duress) publishBroken() {
	d.t.Helper()
	key, value := d.author.Broken("Sag")
	rec := &kgo.Record{Topic: d.kafka.Topic("Sag"), Key: []byte(key), Value: []byte(value)}
	if err := d.raw.ProduceSync(d.t.Context(), rec).FirstErr(); err != nil {
		d.t.Fatalf("produce a broken record: %v", err)
	}
	d.records++
}
