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

// worlds is how many worlds run at once. Each draws a hundred histories, or a fifth
// of that with -short. With -rapid.checks, as in `make histories`, there are more
// worlds: it runs thousands of histories, which take a fifth of the time without the
// race detector.
const (
	someWorlds = 2
	manyWorlds = 16
)

func worlds() int {
	if given("rapid.checks") {
		return manyWorlds
	}
	return someWorlds
}

// given reports whether a flag is on the command line.
func given(name string) (yes bool) {
	flag.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// TestMain runs more tests at once than there are processors: tests mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", "24"); err != nil {
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
	tale []string // what happened, to explain a failure
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
	work(ctx)
	restore()
	h.sim.SetFaults(odasim.Faults{})
	h.mood.feel(nil)
	h.expireLeases()
}

// takeOver runs a poller after the leases of a frozen one have expired. It may meet
// the faults that were planned for the frozen one, and fail.
func (h *history) takeOver() {
	h.expireLeases()
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
			return h.mood.pages() >= pages || p.life.over() != nil || p.faults != odasim.Faults{}
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
	switch rapid.IntRange(0, 3).Draw(h.rt, "zombie") {
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

// database makes a backup of the poller's tables, restores the last one, which is
// empty if there was none, or deletes the tables' rows.
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

// ledger returns the rows that the ledger has as Live, Dirty or Lost.
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
