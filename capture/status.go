package capture

import (
	"sync"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
)

// State is what a poller does with an entity.
type State string

// The states.
const (
	StateWaiting   State = "waiting"   // another poller works on the entity
	StateFolding   State = "folding"   // the topic is read back into the ledger
	StateLoading   State = "loading"   // the first load is running
	StateScanning  State = "scanning"  // a scan is running, and the tail beside it
	StateFollowing State = "following" // the tail is running alone
	StateFailed    State = "failed"    // an error ended the session: the entity backs off
	StateAbsent    State = "absent"    // the source has never had the entity
	StateDone      State = "done"      // `poller --once` is done with the entity
)

// EntityStatus is the progress of a poller with one entity.
type EntityStatus struct {
	Entity    string    `json:"entity"`
	State     State     `json:"state"`
	Reason    string    `json:"reason,omitempty"`    // why it is waiting, failed or absent
	Rows      int64     `json:"rows"`                // read by the running scan, or by the last one
	Expected  int64     `json:"expected"`            // the number of rows that the source states; -1 if it states none
	Published int64     `json:"published"`           // changes since the process started
	Watermark time.Time `json:"watermark,omitzero"`  // everything stamped up to here was read
	Changed   time.Time `json:"changed_at,omitzero"` // when State last changed
	// PausedUntil is until when the source asked us not to ask for this set (Retry-After);
	// zero if it did not.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// ConsistentThrough is a time: everything that the source had then is published.
	// It is zero until a scan was complete.
	ConsistentThrough time.Time `json:"consistent_through,omitzero"`
	// Lateness counts the rows that were found behind the watermark in the last 30 days.
	Lateness []LateRows `json:"lateness,omitempty"`
}

// LateRows counts the rows that were late by up to Seconds and by more than the next
// lower bound. Worst is the most that one of them was late.
type LateRows struct {
	Seconds int64 `json:"up_to_seconds"`
	Rows    int64 `json:"rows"`
	Worst   int64 `json:"worst_seconds"`
}

// entityStatus is an EntityStatus that changes. It is safe for concurrent use.
type entityStatus struct {
	mu sync.Mutex
	EntityStatus
}

// enter sets the state. err is the reason, nil if there is none.
func (s *entityStatus) enter(to State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.State, s.Reason, s.Changed = to, "", time.Now().UTC()
	if err != nil {
		s.Reason = err.Error()
	}
}

// expect starts the count of a scan's rows.
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

// begin sets ConsistentThrough at the start of a session: zero for a recreated topic.
func (s *entityStatus) begin(through time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ConsistentThrough = time.Time{}
	if !through.IsZero() {
		s.ConsistentThrough = through.UTC()
	}
}

// consistent moves ConsistentThrough, unless through is zero or before it.
func (s *entityStatus) consistent(through time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if through.After(s.ConsistentThrough) {
		s.ConsistentThrough = through.UTC()
	}
}

func (s *entityStatus) late(rows []checkpoint.Lateness) {
	list := make([]LateRows, len(rows))
	for i, l := range rows {
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
	Holder   string         `json:"holder"`           // the name under which this poller acquires leases
	Reason   string         `json:"reason,omitempty"` // why the next change could not be published, or other pollers do not know of this one
	Since    *time.Time     `json:"since,omitempty"`  // since when, if there is a Reason
	Entities []EntityStatus `json:"entities"`
	// ConsistentThrough is the earliest of the entities that this poller works on; zero
	// if one of them has none yet.
	ConsistentThrough time.Time `json:"consistent_through,omitzero"`
	// Clock is the clock that watermarks follow.
	Clock ClockStatus `json:"clock"`
	// Contract is what the last probe of the source found.
	Contract []oda.Finding `json:"contract,omitempty"`
}

// Readiness is what /readyz of a poller shows as detail.
type Readiness struct {
	Reason   string         `json:"reason,omitempty"` // why the next change could not be published, or other pollers do not know of this one
	Entities []EntityStatus `json:"entities"`         // those whose first load is not complete, or that failed
}

// earliest returns the ConsistentThrough of all entities together.
func earliest(entities []EntityStatus) time.Time {
	var first time.Time
	for _, e := range entities {
		switch {
		case e.State == StateAbsent || e.State == StateWaiting:
		case e.ConsistentThrough.IsZero():
			return time.Time{}
		case first.IsZero() || e.ConsistentThrough.Before(first):
			first = e.ConsistentThrough
		}
	}
	return first
}
