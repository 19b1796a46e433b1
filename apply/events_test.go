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

// run lets things happen: records are published, and something befalls the sinks.
func (h *sinkHistory) run() {
	h.scale(1 + h.rand.IntN(2))
	for range 3 + h.rand.IntN(5) {
		h.publish()
		h.event()
		h.publish()
		if h.rand.IntN(2) == 0 {
			_ = pause.For(h.t.Context(), h.between(0, 300))
		}
		h.bury()
	}
}

// between draws a time in milliseconds, of a machine that serves at once.
func (h *sinkHistory) between(from, to int) time.Duration {
	return machine.Stretch(time.Duration(from+h.rand.IntN(to-from)) * time.Millisecond)
}

// event is what befalls sinks, brokers or the database.
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

// scale starts sinks, or stops some in order, until there are n.
func (h *sinkHistory) scale(n int) {
	h.tell("%d sinks become %d", len(h.sinks), n)
	for len(h.sinks) < n {
		h.sinks = append(h.sinks, h.boot())
	}
	for len(h.sinks) > n {
		i := h.rand.IntN(len(h.sinks))
		p := h.sinks[i]
		h.sinks = slices.Delete(h.sinks, i, i+1)
		p.stop()
		// It is to end by itself; a frozen one does so once it thaws.
	}
}

func (h *sinkHistory) boot() *process {
	h.booted++
	p := boot(h.t, h.cfg, h.tale.logger(h.booted), h.ending)
	h.t.Cleanup(p.kill) // of a history that failed: its world waits for every end
	return p
}

// any is one of the sinks, with its number; there is always one.
func (h *sinkHistory) any() (int, *process) {
	if len(h.sinks) == 0 {
		h.scale(1)
	}
	i := h.rand.IntN(len(h.sinks))
	return i, h.sinks[i]
}

// kill ends a sink with SIGKILL before one of its next writes to Postgres, and
// starts another one in its place, as whatever watches over it would.
func (h *sinkHistory) kill() {
	i, p := h.any()
	writes := 1 + h.rand.IntN(12)
	h.tell("sink %d is killed before its write %d to Postgres", i, writes)
	p.link.after(writes, p.kill)
	if h.rand.IntN(3) > 0 {
		h.sinks = append(h.sinks, h.boot())
		h.tell("another sink starts")
	}
}

// freeze stops a sink with SIGSTOP before one of its next writes to Postgres, or
// now, as a rule for longer than its session, and lets it go on.
func (h *sinkHistory) freeze() {
	i, p := h.any()
	writes, d := h.rand.IntN(12), h.between(50, 900)
	h.tell("sink %d is frozen before its write %d to Postgres (0: now) for %s", i, writes, d)
	stop := func() {
		p.link.freeze()
		time.AfterFunc(d, p.link.thaw)
	}
	if writes == 0 {
		stop()
		return
	}
	p.link.after(writes, stop)
}

// restart takes a server away from all sinks for a moment.
func (h *sinkHistory) restart(server string) {
	d := h.between(0, 200)
	h.tell("%s restarts in %s", server, d)
	for _, p := range h.sinks {
		p.link.lose(server)
	}
	_ = pause.For(h.t.Context(), d)
	for _, p := range h.sinks {
		p.link.find(server)
	}
}

// restartBroker stops the broker and starts it again on its data.
func (h *sinkHistory) restartBroker() {
	h.tell("the broker restarts")
	port := 0
	if _, err := fmt.Sscanf(h.broker.ListenAddrs()[0], "127.0.0.1:%d", &port); err != nil {
		h.t.Fatal(err)
	}
	h.broker.Close()
	h.startBroker(port)
}

// reset breaks a sink's connections in the middle of what they say.
func (h *sinkHistory) reset() {
	i, p := h.any()
	writes := 1 + h.rand.IntN(12)
	h.tell("the connections of sink %d are reset before its write %d to Postgres", i, writes)
	p.link.after(writes, func() { p.link.reset("") })
}

// slow makes a sink's link slow, or quick again.
func (h *sinkHistory) slow() {
	i, p := h.any()
	each := h.between(0, 12)
	h.tell("each write of sink %d takes %s", i, each)
	p.link.slowDown(each)
}

// bury forgets the dead.
func (h *sinkHistory) bury() {
	h.sinks = slices.DeleteFunc(h.sinks, func(p *process) bool { return p.link.isDead() })
}

// publish writes some changes, and now and then what no sink can apply, or what a
// poller that was frozen wrote long ago.
func (h *sinkHistory) publish() {
	h.t.Helper()
	var changes []schema.Change
	for range h.rand.IntN(60) {
		changes = append(changes, h.author.Change())
	}
	if old := h.author.Old; len(old) > 0 && h.rand.IntN(3) == 0 {
		changes = append(changes, old[h.rand.IntN(len(old))])
	}
	h.tell("%d changes are published", len(changes))
	for len(changes) > 0 { // in pieces, so that broken records stand among them
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

// publishBroken writes a record that is no change, or one that jsonb refuses.
func (h *sinkHistory) publishBroken() {
	h.t.Helper()
	key, value := h.author.Broken("Sag")
	rec := &kgo.Record{Topic: h.cfg.kafka.Topic("Sag"), Key: []byte(key), Value: []byte(value)}
	if err := h.raw.ProduceSync(h.t.Context(), rec).FirstErr(); err != nil {
		h.t.Fatalf("produce a broken record: %v", err)
	}
	h.records++
}
