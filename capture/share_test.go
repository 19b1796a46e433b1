package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"odastream/checkpoint"
	"odastream/internal/test/machine"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// dozen are entities for several pollers to share.
func dozen() []string {
	return []string{
		"Sag", "Stemme", "Aktør", "Afstemning", "Sagstrin", "Dokument", "Fil", "Møde", "Periode", "AktørAktør", "SagAktør", "Dagsordenspunkt",
	}
}

// holders returns the holder of each lease that has not expired, by entity.
func (w *world) holders() map[string]string {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `SELECT entity_type, holder FROM poller_leases WHERE expires_at > clock_timestamp()`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	held := map[string]string{}
	for rows.Next() {
		var entity, holder string
		if err := rows.Scan(&entity, &holder); err != nil {
			w.t.Fatal(err)
		}
		held[entity] = holder
	}
	return held
}

// shares returns the number of entities of each holder.
func (w *world) shares() map[string]int {
	count := map[string]int{}
	for _, holder := range w.holders() {
		count[holder]++
	}
	return count
}

// oneWriter fails the test if two pollers publish an entity at once.
type oneWriter struct {
	publisher
	t    *testing.T
	who  string
	mu   *sync.Mutex
	busy map[string]string // by entity, who publishes
}

func (p oneWriter) Publish(ctx context.Context, changes []schema.Change) ([]stream.Ack, error) {
	entity := changes[0].Entity
	p.mu.Lock()
	if other := p.busy[entity]; other != "" {
		p.t.Errorf("%s publishes %s while %s does", p.who, entity, other)
	}
	p.busy[entity] = p.who
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.busy, entity)
	}()
	return p.publisher.Publish(ctx, changes)
}

// Three pollers share the entities: each has some, and no entity has two. The entities
// of a poller that is killed go to the others within the lease, and those of one that
// is stopped at once.
func TestPollersShareTheEntities(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, dozen()...)
	w.quiet = true // the killed one logs an error each 50 ms
	w.cfg.Lease = 2*stream.DeliveryTimeout + machine.AtLeast(2*time.Second)
	var mu sync.Mutex
	busy := map[string]string{}
	lives := map[string]*life{}
	stops := map[string]func(){}
	for _, name := range []string{"a", "b", "c"} {
		lives[name] = &life{}
		restore := w.living(lives[name])
		w.wrapPublisher = func(p publisher) publisher {
			return oneWriter{mortalPublisher{p, lives[name]}, t, name, &mu, busy}
		}
		stops[name] = w.followAs(name)
		restore()
		defer func() { stops[name]() }()
	}
	w.eventually("three pollers have a share each", func() bool { return len(w.shares()) == 3 && len(w.holders()) == 12 })

	lives["b"].end()
	w.eventually("the killed poller's entities are the others'", func() bool {
		return len(w.holders()) == 12 && w.shares()["b"] == 0
	})
	stops["b"]()
	stops["b"] = func() {}

	stops["c"]()
	stops["c"] = func() {}
	if held := w.shares()["c"]; held != 0 {
		t.Errorf("a poller that has stopped holds %d leases", held)
	}
	w.eventually("all entities are the last one's", func() bool { return w.shares()["a"] == 12 })
	for i, name := range dozen() {
		w.put(name, int64(i+1), "til den sidste", stampAt(w.sim.Now()))
	}
	for _, name := range dozen() {
		w.eventually("a row of "+name+" is published", func() bool { return len(w.changes(name)) > 0 })
		w.checkTopic(name)
	}
}

// followAs is follow with a fixed holder name: the shares depend on it.
func (w *world) followAs(name string) (stop func()) {
	w.t.Helper()
	p, closePublisher := w.process()
	p.share.holder = name
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("poller %s: %v", name, err)
		}
		closePublisher()
	}
}

// stalled is the publisher of a process that is stopped, as by SIGSTOP, before it sends.
type stalled struct {
	publisher
	reached chan<- []schema.Change
	goOn    <-chan struct{}
}

func (p stalled) Publish(ctx context.Context, changes []schema.Change) ([]stream.Ack, error) {
	p.reached <- changes
	<-p.goOn
	return p.publisher.Publish(ctx, changes)
}

// asleep is the store of a stopped process: its lease is not renewed.
type asleep struct{ store }

func (asleep) Renew(ctx context.Context, lease checkpoint.Lease, _ time.Duration) (checkpoint.Lease, error) {
	<-ctx.Done()
	return lease, ctx.Err()
}

// A poller that was stopped for longer than its lease, in the middle of a publish,
// saves nothing and returns ErrLeaseLost. What it still publishes is found by the
// next fold, and the newer version is published again. It fails without the check of
// the epoch, and without the repair.
func TestAStalledPollerSavesNothingAndItsLateRecordIsRepaired(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.sim.Advance(time.Second)
	w.put("Sag", 3, "gammel", stampAt(w.sim.Now()))
	reached, goOn := make(chan []schema.Change), make(chan struct{})
	w.wrapStore = func(s store) store { return asleep{s} }
	w.wrapPublisher = func(p publisher) publisher { return stalled{p, reached, goOn} }
	done := make(chan error)
	go func() { done <- w.once() }()
	if late := <-reached; len(late) != 1 || late[0].ID != 3 {
		t.Fatalf("stalled before %v, want row 3", late)
	}

	w.wrapStore, w.wrapPublisher = nil, nil
	w.expireLeases()
	w.sim.Advance(time.Second)
	w.put("Sag", 3, "ny", stampAt(w.sim.Now()))
	w.mustOnce()
	before := w.stored()

	close(goOn)
	if err := <-done; !errors.Is(err, checkpoint.ErrLeaseLost) {
		t.Errorf("the stalled poller says %v, want ErrLeaseLost", err)
	}
	if after := w.stored(); after != before {
		t.Errorf("the stalled poller changed what is stored:\n%s\nto\n%s", before, after)
	}
	texts := func() (list []string) {
		for _, c := range w.changesOf(3) {
			list = append(list, member(c.Data, "titel"))
		}
		return list
	}
	if got, want := texts(), []string{`"først"`, `"ny"`, `"gammel"`}; !slices.Equal(got, want) {
		t.Fatalf("row 3 is %q on the topic, want %q: the late record last", got, want)
	}
	w.mustOnce()
	if got, want := texts(), []string{`"først"`, `"ny"`, `"gammel"`, `"ny"`}; !slices.Equal(got, want) {
		t.Errorf("row 3 is %q on the topic, want %q", got, want)
	}
	changes := w.changes("Sag")
	if last := changes[len(changes)-1]; last.ID == 3 && last.Changed != nil {
		t.Errorf("the repaired record says that %q changed: it cannot know", last.Changed)
	}
}

// stored returns all that the poller has saved.
func (w *world) stored() (all string) {
	w.t.Helper()
	err := w.pool.QueryRow(w.t.Context(), `
SELECT concat_ws(E'\n', (SELECT string_agg(l::text, E'\n' ORDER BY entity_id) FROM poller_ledger l),
    (SELECT string_agg(p::text, E'\n' ORDER BY partition) FROM poller_positions p), (SELECT string_agg(w::text, E'\n') FROM poller_watermarks w))`).Scan(&all)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// Rendezvous hashing gives each of three pollers some of the 45 default entities,
// whatever the pollers' names are.
func TestSharesAreEven(t *testing.T) {
	t.Parallel()
	for run := range 200 {
		members := make([]string, 3)
		shares := make([]*share, 3)
		for i := range members {
			members[i] = fmt.Sprintf("host-%d:%d:%x", i, 4000+run, 7919*run+i)
			shares[i] = newShare(members[i], nil, 0, nil)
		}
		count := make([]int, 3)
		for _, e := range schema.Entities() {
			owners := 0
			for i := range members {
				shares[i].set(members)
				if mine, _ := shares[i].mine(e.Name); mine {
					owners++
					count[i]++
				}
			}
			if owners != 1 {
				t.Fatalf("%s has %d owners", e.Name, owners)
			}
		}
		if slices.Min(count) < 4 {
			t.Errorf("shares are %v: one poller has hardly any work", count)
		}
	}
}
