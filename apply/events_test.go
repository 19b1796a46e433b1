package apply_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/pause"
	"odastream/internal/test/checker"
	"odastream/internal/test/machine"
	"odastream/schema"
)

// run publishes records and has random events happen to the sinks, brokers and database.
func (h *sinkHistory) run() {
	h.scale(1 + h.rand.IntN(2))
	for range 3 + h.rand.IntN(5) {
		h.publish()
		h.event()
		h.publish()
		if h.rand.IntN(2) == 0 {
			_ = pause.For(h.t.Context(), h.between(0, 300))
		}
		h.dropDead()
	}
}

// between draws a time in milliseconds, and stretches it on a slow machine.
func (h *sinkHistory) between(from, to int) time.Duration {
	return machine.Scale(time.Duration(from+h.rand.IntN(to-from)) * time.Millisecond)
}

// event makes one random event happen to sinks, brokers or the database.
func (h *sinkHistory) event() {
	switch h.rand.IntN(10) {
	case 0, 1:
		h.scale([]int{1, 4, 2}[h.rand.IntN(3)])
	case 2, 3:
		h.kill()
	case 4, 5:
		h.freeze()
	case 6:
		h.restart(toPostgres)
	case 7:
		if h.dir != "" {
			h.restartBroker()
		} else {
			h.restart(toKafka)
		}
	case 8:
		h.reset()
	case 9:
		h.slow()
	}
}

// scale starts sinks, or stops some gracefully, until there are n.
func (h *sinkHistory) scale(n int) {
	h.note("%d sinks become %d", len(h.sinks), n)
	for len(h.sinks) < n {
		h.sinks = append(h.sinks, h.boot())
	}
	for len(h.sinks) > n {
		i := h.rand.IntN(len(h.sinks))
		p := h.sinks[i]
		h.sinks = slices.Delete(h.sinks, i, i+1)
		p.stop()
		// It ends by itself; a frozen one once it thaws.
	}
}

func (h *sinkHistory) boot() *process {
	h.booted++
	p := boot(h.t, h.cfg, h.events.logger(h.booted), h.ending)
	h.t.Cleanup(p.kill) // if the history failed: its world waits for every process
	return p
}

// any draws one of the sinks and returns its index; it starts one if there is none.
func (h *sinkHistory) any() (int, *process) {
	if len(h.sinks) == 0 {
		h.scale(1)
	}
	i := h.rand.IntN(len(h.sinks))
	return i, h.sinks[i]
}

// within draws whether what happens at a write happens in the midst of it.
func (h *sinkHistory) within() bool {
	split := h.rand.IntN(2) == 0
	if split {
		h.note("in the midst of the write:")
	}
	return split
}

// kill ends a sink as SIGKILL does, before one of its next writes to Postgres. Two
// times in three it starts another one in its place, as a supervisor would.
func (h *sinkHistory) kill() {
	i, p := h.any()
	writes := 1 + h.rand.IntN(12)
	h.note("sink %d is killed before its write %d to Postgres", i, writes)
	p.link.after(writes, h.within(), p.kill)
	if h.rand.IntN(3) > 0 {
		h.sinks = append(h.sinks, h.boot())
		h.note("another sink starts")
	}
}

// freeze stops a sink as SIGSTOP does, now or before one of its next writes to
// Postgres, usually for longer than its session, and lets it continue.
func (h *sinkHistory) freeze() {
	i, p := h.any()
	writes, d := h.rand.IntN(12), h.between(50, 900)
	h.note("sink %d is frozen before its write %d to Postgres (0: now) for %s", i, writes, d)
	stop := func() {
		p.link.freeze()
		time.AfterFunc(d, p.link.thaw)
	}
	if writes == 0 {
		stop()
		return
	}
	p.link.after(writes, h.within(), stop)
}

// restart cuts all sinks off from a server for a moment.
func (h *sinkHistory) restart(server string) {
	d := h.between(0, 200)
	h.note("%s restarts in %s", server, d)
	for _, p := range h.sinks {
		p.link.lose(server)
	}
	_ = pause.For(h.t.Context(), d)
	for _, p := range h.sinks {
		p.link.find(server)
	}
}

// restartBroker restarts the broker on its data.
func (h *sinkHistory) restartBroker() {
	h.note("the broker restarts")
	port := 0
	if _, err := fmt.Sscanf(h.broker.ListenAddrs()[0], "127.0.0.1:%d", &port); err != nil {
		h.t.Fatal(err)
	}
	h.broker.Close()
	h.startBroker(port)
}

// reset resets a sink's connections between two writes.
func (h *sinkHistory) reset() {
	i, p := h.any()
	writes := 1 + h.rand.IntN(12)
	h.note("the connections of sink %d are reset before its write %d to Postgres", i, writes)
	p.link.after(writes, h.within(), func() { p.link.reset("") })
}

// slow makes a sink's link slow, or fast again.
func (h *sinkHistory) slow() {
	i, p := h.any()
	each := h.between(0, 12)
	h.note("each write of sink %d takes %s", i, each)
	p.link.slowDown(each)
}

// dropDead drops the sinks that were killed.
func (h *sinkHistory) dropDead() {
	h.sinks = slices.DeleteFunc(h.sinks, func(p *process) bool { return p.link.isDead() })
}

// publish writes some changes, sometimes a bad record, and sometimes an old change, as
// a zombie poller would.
func (h *sinkHistory) publish() {
	h.t.Helper()
	var changes []schema.Change
	for range h.rand.IntN(60) {
		changes = append(changes, h.author.Change())
	}
	if old := h.author.Old; len(old) > 0 && h.rand.IntN(3) == 0 {
		changes = append(changes, old[h.rand.IntN(len(old))])
	}
	h.note("%d changes are published", len(changes))
	for len(changes) > 0 { // in parts, so that bad records lie between them
		n := min(1+h.rand.IntN(30), len(changes))
		if _, err := h.pub.Publish(h.t.Context(), changes[:n]); err != nil {
			h.t.Fatalf("publish %d changes: %v", n, err)
		}
		h.records += checker.Records(changes[:n])
		changes = changes[n:]
		if h.rand.IntN(6) == 0 {
			h.publishBroken()
		}
	}
}

// publishBroken writes a record that is no change, one that jsonb refuses, or one of
// somebody who means ill.
func (h *sinkHistory) publishBroken() {
	h.t.Helper()
	key, value := h.author.Broken("Sag")
	rec := &kgo.Record{Topic: h.cfg.kafka.Topic("Sag"), Key: []byte(key), Value: []byte(value)}
	if h.rand.IntN(2) == 0 {
		var header string
		rec.Key, rec.Value, header = h.author.Hostile("Sag")
		rec.Headers = []kgo.RecordHeader{{Key: "x", Value: []byte(header)}}
		h.note("a hostile record of %d, %d and %d bytes is written", len(rec.Key), len(rec.Value), len(header))
	}
	if err := h.writer.ProduceSync(h.t.Context(), rec).FirstErr(); err != nil {
		h.t.Fatalf("produce a broken record: %v", err)
	}
	h.records++
}
