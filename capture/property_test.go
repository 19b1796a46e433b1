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

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
)

// How many worlds live at once. Each draws a hundred histories of its own, a fifth of
// that with -short. Where -rapid.checks says how many, as in `make histories`, which
// has time for thousands (without the race detector one costs a fifth), there are
// more worlds.
const (
	someWorlds = 3
	manyWorlds = 16
)

func worlds() int {
	if given("rapid.checks") {
		return manyWorlds
	}
	return someWorlds
}

// given tells whether a flag stands on the command line.
func given(name string) (yes bool) {
	flag.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// TestMain has more tests run at once than there are processors: most of a test is
// waiting.
func TestMain(m *testing.M) {
	flag.Parse()
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", "24"); err != nil {
			panic(err)
		}
	}
	m.Run()
}

// Whatever happens at the source, to the poller, to its database and to the
// topic, in whatever order: the topic holds versions that the source had, in
// their order, none twice, no delete that was none; watermark and frontier pass
// nothing that is not published; and in the end, read whichever way, it is the
// source. docs/mutants.md says which rule, broken, this test was seen to find.
func TestAnyHistoryEndsAtTheSource(t *testing.T) {
	t.Parallel()
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

// history is one life of a parliament and of the pollers that follow it.
type history struct {
	*world
	rt   *rapid.T
	mood *moody
	seen *witness
	cap  int
	tale []string // what happened, for whoever has to understand a failure
}

func newHistory(rt *rapid.T, w *world, mood *moody) *history {
	o := odasim.Options{
		PageCap: rapid.SampledFrom([]int{5, 20}).Draw(rt, "page cap"),
		Compare: rapid.SampledFrom([]odasim.Compare{odasim.CompareTicks, odasim.CompareText}).Draw(rt, "compare"),
	}
	w.anew(o)
	mood.feel(nil)
	w.exec(emptyBackup)
	w.sim.SetNow(rapid.SampledFrom(epochs()).Draw(rt, "epoch"))
	if err := w.topics.Ensure(w.t.Context(), []string{"Sag"}); err != nil {
		rt.Fatal(err)
	}
	return &history{world: w, rt: rt, mood: mood, seen: newWitness(w, "Sag"), cap: o.PageCap}
}

// epochs are an ordinary noon and the last minutes before the clocks change.
func epochs() []time.Time {
	return []time.Time{
		atNoon(),
		time.Date(2026, 10, 25, 0, 57, 0, 0, time.UTC), time.Date(2027, 3, 28, 0, 57, 0, 0, time.UTC),
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

// step is some change at the source and, as a rule, a poller that is to find it.
func (h *history) step() {
	for range rapid.IntRange(0, 4).Draw(h.rt, "changes") {
		what, change := h.draw()
		h.tell("%s", what)
		change()
	}
	h.passTime()
	switch rapid.SampledFrom([]string{"once", "once", "once", "once", "daemon", "zombie", "database", "topic"}).Draw(h.rt, "event") {
	case "once":
		h.pollOnce()
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
	d := rapid.SampledFrom([]time.Duration{
		0, time.Second, time.Second, 40 * time.Second, 4 * time.Minute, 4 * time.Minute, 3 * time.Hour, -2 * time.Second, -time.Hour,
	}).Draw(h.rt, "time passes")
	h.advance(d)
}

func (h *history) advance(d time.Duration) {
	h.tell("time passes: %s", d)
	h.sim.Advance(d)
	if d < 0 || len(h.checkpoint().Ranges) > 0 {
		// A scan that goes on after the source's clock was moved by hand takes its
		// beginning for later than it was: our clock alone remembers it.
		h.seen.shaken = true
	}
}

// plan is what is in store for a poller's run.
type plan struct {
	life    *life
	changes map[int]func()
	trouble map[int]error
	stop    int // page at which it is told to stop; 0: none
	faults  odasim.Faults
}

func (p plan) peaceful() bool {
	return p.life.left == 0 && len(p.trouble) == 0 && p.stop == 0 && p.faults == odasim.Faults{}
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
		p.faults = odasim.Faults{
			Seed: rapid.Uint64().Draw(h.rt, "fault seed"), ShortRate: 0.3, DisorderRate: 0.03, UnfilteredRate: 0.03, ErrorRate: 0.01, TruncateRate: 0.01,
		}
		h.tell("the source is faulty")
	}
	for range rapid.IntRange(0, 2).Draw(h.rt, "changes meanwhile") {
		at := page.Draw(h.rt, "before page")
		what, change := h.draw()
		h.tell("before page %d: %s", at, what)
		p.changes[at] = change
	}
	return p
}

// under runs work, told to stop by its context, under a plan.
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
	work(ctx)
	restore()
	h.sim.SetFaults(odasim.Faults{})
	h.mood.feel(nil)
	h.expireLeases()
}

// takeOver is the work of a poller that finds the leases of a frozen one run out. It
// may meet what is in store for that one, and end with it.
func (h *history) takeOver() {
	h.expireLeases()
	successor := *h.world
	successor.wrapStore, successor.wrapPublisher = nil, nil
	_ = successor.once()
}

// pollOnce is `poller --once`, which may say that it failed only if it had a reason.
func (h *history) pollOnce() {
	h.cfg.ScanEvery = rapid.SampledFrom([]time.Duration{0, time.Nanosecond}).Draw(h.rt, "scan every")
	h.tell("poller --once, scan every %s", h.cfg.ScanEvery)
	p := h.plan()
	peaceful := p.peaceful() // before its life is lived
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

// daemon follows the source for some requests and is then stopped, or killed.
func (h *history) daemon() {
	h.cfg.ScanEvery = rapid.SampledFrom([]time.Duration{0, time.Nanosecond}).Draw(h.rt, "scan every")
	pages := rapid.IntRange(1, 30).Draw(h.rt, "daemon's pages")
	h.tell("a daemon for %d pages, scan every %s", pages, h.cfg.ScanEvery)
	p := h.plan()
	h.under(p, func(context.Context) {
		_, stop := h.follow()
		h.eventually("the daemon has asked for some pages or died", func() bool {
			return h.mood.pages() >= pages || p.life.over() != nil || p.faults != odasim.Faults{}
		})
		if rapid.Bool().Draw(h.rt, "killed") {
			h.tell("the daemon is killed")
			p.life.end()
		}
		stop()
	})
}

// zombie publishes what a poller without a lease may still do.
func (h *history) zombie() {
	changes := h.changes("Sag")
	if len(changes) == 0 {
		return
	}
	c := rapid.SampledFrom(changes).Draw(h.rt, "late record")
	switch rapid.IntRange(0, 3).Draw(h.rt, "zombie") {
	case 0: // its own clock is ahead
		c.Seq, c.Timestamp = c.Seq+time.Hour.Microseconds(), c.Timestamp.Add(time.Hour)
	case 1: // a version that nobody ever saw, older than the newest
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

const (
	makeBackup = `CREATE SCHEMA backup;
CREATE TABLE backup.watermarks (LIKE poller_watermarks); CREATE TABLE backup.ledger (LIKE poller_ledger);
CREATE TABLE backup.positions (LIKE poller_positions); CREATE TABLE backup.scans (LIKE poller_scans); CREATE TABLE backup.vanished (LIKE poller_vanished)`
	emptyBackup = `DELETE FROM backup.watermarks; DELETE FROM backup.ledger; DELETE FROM backup.positions; DELETE FROM backup.scans; DELETE FROM backup.vanished;`
	loseLedger  = `DELETE FROM poller_watermarks; DELETE FROM poller_ledger; DELETE FROM poller_positions; DELETE FROM poller_scans; DELETE FROM poller_vanished;`
	backUp      = emptyBackup + `INSERT INTO backup.watermarks SELECT * FROM poller_watermarks; INSERT INTO backup.ledger SELECT * FROM poller_ledger;
INSERT INTO backup.positions SELECT * FROM poller_positions; INSERT INTO backup.scans SELECT * FROM poller_scans; INSERT INTO backup.vanished SELECT * FROM poller_vanished`
	restore = loseLedger + `INSERT INTO poller_watermarks SELECT * FROM backup.watermarks; INSERT INTO poller_ledger SELECT * FROM backup.ledger;
INSERT INTO poller_positions SELECT * FROM backup.positions; INSERT INTO poller_scans SELECT * FROM backup.scans; INSERT INTO poller_vanished SELECT * FROM backup.vanished`
)

// database backs the poller's tables up, restores the last backup, empty if there
// is none, or loses them.
func (h *history) database() {
	what := rapid.SampledFrom([]string{"backed up", "restored", "restored", "lost"}).Draw(h.rt, "database")
	h.tell("the database is %s", what)
	if what != "backed up" {
		h.seen.forget()
	}
	h.exec(map[string]string{"backed up": backUp, "restored": restore, "lost": loseLedger}[what])
}

func (h *history) loseTopic() {
	held := h.changes("Sag")
	if rapid.IntRange(0, 1).Draw(h.rt, "topic is lost") == 0 || len(held) == 0 {
		return
	}
	h.tell("the topic is deleted")
	h.seen.anew(held, h.ledger())
	h.renewTopic("Sag")
}

// ledger is the rows that the ledger takes to be on the topic, or on one that is gone.
func (h *history) ledger() []int64 {
	rows, err := h.pool.Query(h.t.Context(), `SELECT entity_id FROM poller_ledger WHERE hash IS NOT NULL OR seq = 0`)
	if err != nil {
		h.rt.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		h.rt.Fatal(err)
	}
	return ids
}

// finish runs `poller --once` with a scan until nothing is in doubt: as often as
// the held-back deletes demand. What is yet to be seen at the source is seen from
// the first of its requests on, and not in the midst of the last scan.
func (h *history) finish() {
	h.advance(3 * time.Hour)
	h.cfg.ScanEvery = time.Nanosecond
	for range 5 {
		// A scan that goes on, begun in what is now the future, does not show what
		// changed since.
		resumed := len(h.checkpoint().Ranges) > 0
		err := h.once()
		h.tell("poller --once in the end: %v", err)
		var held *HeldBackError
		if err != nil && !errors.As(err, &held) {
			h.rt.Fatalf("poller --once in the end: %v\n%s", err, strings.Join(h.tale, "\n"))
		}
		h.seen.filled = h.seen.filled || err == nil
		missing, errMissing := h.store.Vanished(h.t.Context(), "Sag")
		if err == nil && errMissing == nil && len(missing) == 0 && !resumed {
			return
		}
	}
	h.rt.Fatalf("rows are in doubt after five scans\n%s", strings.Join(h.tale, "\n"))
}

// schema.NoEnd of an Int32 key, and ids that lie far apart.
func rowIDs() []int64 { return []int64{0, 1, 2, 3, 4, 5, 6, 7, 1000, 57_000_000, math.MaxInt32 - 1} }
