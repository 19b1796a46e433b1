package capture

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"odastream/checkpoint"
	"odastream/internal/test/machine"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
)

// worlds is how many worlds run at once. Each draws fewHistories, or a fifth of that
// with -short. With -rapid.checks, as in `make histories`, there are more
// worlds: it runs thousands of histories, which take a fifth of the time without the
// race detector.
const (
	someWorlds = 4
	manyWorlds = 16
)

// fewHistories is how many histories a world draws if the command line does not say.
const fewHistories = "30"

func worlds() int {
	if manyHistories {
		return manyWorlds
	}
	return someWorlds
}

// manyHistories says that the command line does.
var manyHistories bool

func TestMain(m *testing.M) {
	machine.Parallel("24")
	if manyHistories = machine.Given("rapid.checks"); !manyHistories {
		if err := flag.Set("rapid.checks", fewHistories); err != nil {
			panic(err)
		}
	}
	m.Run()
}

// Whatever happens to the source, the poller, its database and the topic, in whatever
// order: the topic has only versions that the source had, in their order, none
// twice, and no delete of a row that was not deleted. The watermark and
// consistent_through pass nothing that is not published. In the end the topic equals
// the source, in whatever order it is read. docs/mutants.md lists the rules that this
// test was seen to guard.
func TestAnyHistoryEndsAtTheSource(t *testing.T) {
	t.Parallel()
	if manyHistories { // else other tests run beside it, some with large records
		machine.WatchMemory(t, manyWorlds*40<<20) // with their sources and their topics
	}
	for i := range worlds() {
		t.Run(fmt.Sprintf("world %d", i+1), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, odasim.Options{}, "Sag")
			w.quiet = true
			w.exec(makeBackup)
			mood := w.moods()
			rapid.Check(t, func(rt *rapid.T) { newHistory(rt, w, mood).run() })
		})
	}
}

// history is one run of a parliament and of the pollers that follow it.
type history struct {
	*world
	rt   *rapid.T
	mood *moody
	seen *witness
	cap  int
	// lagging: the source has a second node, which is behind. Only changes and events after
	// which an older version can be told happen then; see isOlder.
	lagging bool
	tale    []string // what happened, to explain a failure
}

// behind is how far the second node is behind.
const behind = 30 * time.Minute

func newHistory(rt *rapid.T, w *world, mood *moody) *history {
	o := odasim.Options{
		PageCap: rapid.SampledFrom([]int{5, 20}).Draw(rt, "page cap"),
		Compare: rapid.SampledFrom([]odasim.Compare{odasim.CompareTicks, odasim.CompareText}).Draw(rt, "compare"),
	}
	lagging := rapid.IntRange(0, 5).Draw(rt, "lagging") == 0
	if lagging {
		o.Lag = behind
	}
	w.anew(o)
	mood.feel(nil)
	w.exec(emptyBackup)
	epochs := epochs()
	if lagging {
		epochs = epochs[:1]
	}
	w.sim.SetNow(rapid.SampledFrom(epochs).Draw(rt, "epoch"))
	if err := w.topics.Ensure(w.t.Context(), []string{"Sag"}); err != nil {
		rt.Fatal(err)
	}
	h := &history{world: w, rt: rt, mood: mood, seen: newWitness(w, "Sag"), cap: o.PageCap, lagging: lagging}
	if lagging {
		h.tell("a second node of the source is %s behind", behind)
		h.seen.shaken = true // what the source shows is of no certain time
	}
	return h
}

// epochs returns an ordinary noon and the last minutes before each clock change.
func epochs() []time.Time {
	return []time.Time{
		atNoon(),
		time.Date(2026, 10, 25, 0, 57, 0, 0, time.UTC), time.Date(2026, 3, 29, 0, 57, 0, 0, time.UTC),
	}
}

func (h *history) run() {
	for range rapid.IntRange(2, 9).Draw(h.rt, "steps") {
		h.step()
		if faults := h.seen.judge(h.checkpoint()); len(faults) > 0 {
			h.fail(faults)
		}
	}
	h.finish()
	if faults := h.seen.judgeEnd(h.checkpoint()); len(faults) > 0 {
		h.fail(faults)
	}
}

func (h *history) fail(faults []string) {
	h.rt.Fatalf("%s\n\nwhat had happened:\n%s", strings.Join(faults, "\n"), strings.Join(h.tale, "\n"))
}

func (h *history) tell(format string, args ...any) {
	h.tale = append(h.tale, fmt.Sprintf(format, args...))
}

func (h *history) checkpoint() checkpoint.Checkpoint {
	at, err := h.store.Load(h.t.Context(), "Sag")
	if err != nil {
		h.rt.Fatal(err)
	}
	return at
}

// step changes the source and mostly runs a poller that must find the change.
func (h *history) step() {
	for range rapid.IntRange(0, 4).Draw(h.rt, "changes") {
		what, change := h.draw()
		h.tell("%s", what)
		change()
	}
	h.passTime()
	events := []string{"once", "once", "once", "once", "daemon", "zombie", "writer", "database", "topic"}
	if h.lagging {
		events = events[:7]
	}
	switch rapid.SampledFrom(events).Draw(h.rt, "event") {
	case "once":
		h.pollOnce()
	case "writer":
		h.write()
	case "daemon":
		h.daemon()
	case "zombie":
		h.zombie()
	case "database":
		h.database()
	case "topic":
		h.loseTopic()
	}
}

func (h *history) passTime() {
	steps := []time.Duration{
		0, time.Second, time.Second, 40 * time.Second, 4 * time.Minute, 4 * time.Minute, 3 * time.Hour, -2 * time.Second, -time.Hour,
	}
	if h.lagging {
		steps = steps[:7]
	}
	h.advance(rapid.SampledFrom(steps).Draw(h.rt, "time passes"))
}

func (h *history) advance(d time.Duration) {
	h.tell("time passes: %s", d)
	h.sim.Advance(d)
	if d < 0 || len(h.checkpoint().Ranges) > 0 {
		// A scan that is resumed after the source's clock was set has recorded a time of
		// its beginning that is too late.
		h.seen.shaken = true
	}
}

// plan is what will happen to a poller's run.
type plan struct {
	life    *life
	changes map[int]func()
	trouble map[int]error
	stop    int // page at which it is told to stop; 0: never
	faults  odasim.Faults
	wire    *wire // to the database; nil: the world's
}

func (p plan) peaceful() bool {
	return p.life.left == 0 && p.wire == nil && len(p.trouble) == 0 && p.stop == 0 && p.faults == odasim.Faults{}
}

// failing reports whether requests fail by the faults.
func (p plan) failing() bool {
	f := p.faults
	return f.ErrorRate+f.ForeignRate+f.BombRate+f.RedirectRate > 0
}

func (h *history) plan() plan {
	p := plan{life: &life{}, changes: map[int]func(){}, trouble: map[int]error{}}
	page := rapid.IntRange(1, 12)
	switch rapid.IntRange(0, 6).Draw(h.rt, "fate") {
	case 0, 1:
		p.life.left = rapid.IntRange(1, 12).Draw(h.rt, "step")
		p.life.how = death(rapid.IntRange(int(diesBefore), int(freezes)).Draw(h.rt, "death"))
		p.life.meanwhile, p.life.late = h.takeOver, h.seen.forgeAll
		h.tell("the poller %s step %d", p.life.how, p.life.left)
	case 2:
		kind := rapid.SampledFrom([]error{oda.ErrServer, oda.ErrTimeout, oda.ErrNotHonoured, oda.ErrNotFound}).Draw(h.rt, "trouble")
		at := page.Draw(h.rt, "at page")
		p.trouble[at] = kind
		h.tell("page %d fails: %v", at, kind)
	case 3:
		p.stop = page.Draw(h.rt, "stopped at page")
		h.tell("the poller is told to stop at page %d", p.stop)
	case 4:
		p.faults = h.drawFaults()
	case 5:
		p.wire = h.drawWire(p.life)
	}
	if h.lagging {
		p.faults.LagRate = 0.3
	}
	for range rapid.IntRange(0, 2).Draw(h.rt, "changes meanwhile") {
		at := page.Draw(h.rt, "before page")
		what, change := h.draw()
		h.tell("before page %d: %s", at, what)
		p.changes[at] = change
	}
	return p
}

// under runs work with a plan. Its context tells it to stop.
func (h *history) under(p plan, work func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	h.mood.feel(func(asked int, set string, _ oda.Window) error {
		if change := p.changes[asked]; change != nil {
			change()
		}
		if asked == p.stop {
			cancel()
		}
		if kind := p.trouble[asked]; kind != nil {
			return trouble(set, kind)
		}
		return nil
	})
	h.sim.SetFaults(p.faults)
	restore := h.living(p.life)
	p.wire.connect(h.world)
	work(ctx)
	p.wire.close()
	restore()
	h.sim.SetFaults(odasim.Faults{})
	h.mood.feel(nil)
	h.expireLeases()
}

// takeOver runs a poller after the leases of a frozen one have expired. It may meet
// the faults that were planned for the frozen one, and fail.
func (h *history) takeOver() {
	h.expireLeasesSoon()
	successor := *h.world
	successor.wrapStore, successor.wrapPublisher = nil, nil
	_ = successor.once()
}

// pollOnce runs `poller --once`, which may fail only if the plan has a reason.
func (h *history) pollOnce() {
	h.cfg.ScanEvery = rapid.SampledFrom([]time.Duration{0, time.Nanosecond}).Draw(h.rt, "scan every")
	h.tell("poller --once, scan every %s", h.cfg.ScanEvery)
	p := h.plan()
	peaceful := p.peaceful() // before the life is used up
	h.under(p, func(ctx context.Context) {
		poller, stop := h.process()
		defer stop()
		err := poller.Once(ctx)
		h.tell("poller --once: %v", err)
		var held *HeldBackError
		if err != nil && peaceful && !errors.As(err, &held) {
			h.rt.Fatalf("poller --once without a fault: %v\n%s", err, strings.Join(h.tale, "\n"))
		}
		h.seen.filled = h.seen.filled || err == nil
	})
}

// daemon runs a daemon for some requests, and then stops or kills it.
func (h *history) daemon() {
	h.cfg.ScanEvery = rapid.SampledFrom([]time.Duration{0, time.Nanosecond}).Draw(h.rt, "scan every")
	pages := rapid.IntRange(1, 30).Draw(h.rt, "daemon's pages")
	h.tell("a daemon for %d pages, scan every %s", pages, h.cfg.ScanEvery)
	p := h.plan()
	h.under(p, func(context.Context) {
		_, stop := h.follow()
		h.eventually("the daemon has asked for some pages or died", func() bool {
			return h.mood.pages() >= pages || p.life.over() != nil || p.failing()
		})
		if rapid.Bool().Draw(h.rt, "killed") {
			h.tell("the daemon is killed")
			p.life.end()
		}
		stop()
	})
}

// zombie publishes what a poller without a lease may publish.
func (h *history) zombie() {
	changes := h.changes("Sag")
	if len(changes) == 0 {
		return
	}
	c := rapid.SampledFrom(changes).Draw(h.rt, "late record")
	least := 0
	if h.lagging { // an old version under the newest seq: those between the two would be newer
		least = 1
	}
	switch rapid.IntRange(least, 3).Draw(h.rt, "zombie") {
	case 0: // its own clock is ahead
		c.Seq, c.Timestamp = c.Seq+time.Hour.Microseconds(), c.Timestamp.Add(time.Hour)
	case 1: // an unknown version, older than the newest
		c.Seq--
		c.Data = sagRow(c.ID, "forkert", stampAt(h.sim.Now()))
		c.Action, c.Changed = schema.Update, nil
	case 2: // a delete
		c.Seq++
		c.Action, c.Data, c.Changed, c.Opdateringsdato = schema.Delete, nil, nil, ""
	}
	h.tell("a zombie publishes %s %s seq %d %s", c.Action, c.Key(), c.Seq, c.Data)
	h.seen.forge(c)
	h.publishBehind(c)
}

// finish runs `poller --once` with a scan until no row is vanished: as often as
// deletes that are held back need. Later changes of the source are visible from its
// first request on, and not only in the middle of the last scan.
func (h *history) finish() {
	h.advance(3 * time.Hour)
	h.cfg.ScanEvery = time.Nanosecond
	for range 5 {
		// A resumed scan that began in what is now the future does not show what changed
		// since.
		resumed := len(h.checkpoint().Ranges) > 0
		err := h.once()
		h.tell("poller --once in the end: %v", err)
		var held *HeldBackError
		if err != nil && !errors.As(err, &held) {
			h.rt.Fatalf("poller --once in the end: %v\n%s", err, strings.Join(h.tale, "\n"))
		}
		if held != nil && held.Alone { // only a person can tell that the source is empty
			if _, err := h.store.RequestScan(h.t.Context(), "Sag", true); err != nil {
				h.rt.Fatal(err)
			}
		}
		h.seen.filled = h.seen.filled || err == nil
		missing, errMissing := h.store.VanishedRows(h.t.Context(), "Sag")
		if err == nil && errMissing == nil && len(missing) == 0 && !resumed {
			return
		}
	}
	h.rt.Fatalf("rows are still vanished after five scans\n%s", strings.Join(h.tale, "\n"))
}

// schema.NoEnd of an Int32 key, and ids that lie far apart.
func rowIDs() []int64 { return []int64{0, 1, 2, 3, 4, 5, 6, 7, 1000, 57_000_000, math.MaxInt32 - 1} }
