package capture

import (
	"sync"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
)

// state is what a poller does with an entity just now.
type state string

// The states, as /status shows them.
const (
	stateWaiting   state = "waiting"   // another poller holds the lease
	stateFolding   state = "folding"   // the topic is read back into the ledger
	stateLoading   state = "loading"   // first load
	stateScanning  state = "scanning"  // read whole again, with the tail running
	stateFollowing state = "following" // the tail alone
	stateFailed    state = "failed"    // backing off after an error
	stateAbsent    state = "absent"    // the source has never had it
	stateDone      state = "done"      // with --once
)

// EntityStatus is how far a poller is with one entity.
type EntityStatus struct {
	Entity    string    `json:"entity"`
	State     string    `json:"state"`               // waiting, folding, loading, scanning, following, failed, absent or done
	Reason    string    `json:"reason,omitempty"`    // of waiting, failed and absent
	Rows      int64     `json:"rows"`                // read by the scan under way or the last one
	Expected  int64     `json:"expected"`            // rows that the source says it has; -1 where it does not
	Published int64     `json:"published"`           // changes since the process began
	Watermark time.Time `json:"watermark,omitzero"`  // everything stamped up to here was seen
	Changed   time.Time `json:"changed_at,omitzero"` // of State
	// ConsistentThrough: of what the source was then nothing is outstanding. Zero
	// until a scan was complete.
	ConsistentThrough time.Time `json:"consistent_through,omitzero"`
	// Lateness is how far behind the watermark rows turned up in the last 30 days.
	Lateness []LateRows `json:"lateness,omitempty"`
}

// LateRows counts rows that were late by up to Seconds, and by more than the next
// lower bound.
type LateRows struct {
	Seconds int64 `json:"up_to_seconds"`
	Rows    int64 `json:"rows"`
	Worst   int64 `json:"worst_seconds"`
}

// entityStatus is an EntityStatus in the making. It is safe for concurrent use.
type entityStatus struct {
	mu sync.Mutex
	EntityStatus
}

// enter changes the state; err is its reason, nil for none.
func (s *entityStatus) enter(to state, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.State, s.Reason, s.Changed = string(to), "", time.Now().UTC()
	if err != nil {
		s.Reason = err.Error()
	}
}

// expect starts the count of a scan.
func (s *entityStatus) expect(rows int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Rows, s.Expected = 0, rows
}

func (s *entityStatus) scanned(rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Rows += int64(rows)
}

func (s *entityStatus) rowsRead() int64 { return s.snapshot().Rows }

func (s *entityStatus) publishedMore(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Published += int64(n)
}

func (s *entityStatus) published() int64 { return s.snapshot().Published }

func (s *entityStatus) followed(watermark time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Watermark = watermark.UTC()
}

// begin takes over the frontier that a session begins with: none on a topic made anew.
func (s *entityStatus) begin(through time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ConsistentThrough = time.Time{}
	if !through.IsZero() {
		s.ConsistentThrough = through.UTC()
	}
}

func (s *entityStatus) consistent(through time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if through.After(s.ConsistentThrough) {
		s.ConsistentThrough = through.UTC()
	}
}

func (s *entityStatus) late(seen []checkpoint.Lateness) {
	list := make([]LateRows, len(seen))
	for i, l := range seen {
		list[i] = LateRows{Seconds: int64(l.Bound.Seconds()), Rows: l.Rows, Worst: int64(l.Worst.Seconds())}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Lateness = list
}

func (s *entityStatus) snapshot() EntityStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.EntityStatus
}

// Status is what /status of a poller shows.
type Status struct {
	Holder   string         `json:"holder"` // the name under which this poller takes leases
	Entities []EntityStatus `json:"entities"`
	// ConsistentThrough is the earliest of those of all entities that this poller
	// works on; zero where one of them has none yet.
	ConsistentThrough time.Time `json:"consistent_through,omitzero"`
	// Contract is what the last probe of the source found.
	Contract []oda.Finding `json:"contract,omitempty"`
}

// Status tells how far each entity is.
func (p *Poller) Status() Status {
	status := Status{Holder: p.holder, Contract: p.contract.findings()}
	for _, e := range p.entities {
		status.Entities = append(status.Entities, e.snapshot())
	}
	status.ConsistentThrough = frontier(status.Entities)
	return status
}

// frontier is the moment before which nothing of entities is outstanding.
func frontier(entities []EntityStatus) time.Time {
	var first time.Time
	for _, e := range entities {
		switch {
		case e.State == string(stateAbsent) || e.State == string(stateWaiting):
		case e.ConsistentThrough.IsZero():
			return time.Time{}
		case first.IsZero() || e.ConsistentThrough.Before(first):
			first = e.ConsistentThrough
		}
	}
	return first
}

// Ready tells whether every entity is either followed, after its first load, or
// held by another poller or absent; the detail lists those that are not.
func (p *Poller) Ready() (ok bool, detail any) {
	var behind []EntityStatus
	for _, e := range p.Status().Entities {
		switch state(e.State) {
		case stateFollowing, stateScanning, stateWaiting, stateAbsent, stateDone:
		default:
			behind = append(behind, e)
		}
	}
	return len(behind) == 0, behind
}
