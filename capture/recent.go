package capture

import (
	"math"
	"sync"

	"odastream/schema"
)

// span is when a request was under way, in ticks. Somewhere inside it the source
// read the rows of its answer.
type span struct{ began, ended int64 }

// sighting is what was last seen of a row; spelling 0: that it is gone.
type sighting struct {
	span
	spelling schema.Spelling
	call, at int // in which call of newest, and where among its rows
}

// latest is the row to compare when a batch shows one several times.
type latest struct {
	row
	origin  schema.Origin
	scanned bool  // it stands on a page of which the window is known
	behind  int64 // watermark when it was asked for, in microseconds since 1970; 0: none
}

// recent orders readings that overlap in time. Tail and scan ask at once, and an
// answer that was asked for earlier may come later: it must not undo what the
// other one said. It remembers when each row was read, as long as a request that
// may be older is still open. It is safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	open  map[int64]struct{} // began, of requests whose rows were not compared yet
	calls int                // of newest
	// Sightings are forgotten by the generation, not row by row.
	young, old generation
}

// generation is sightings, by row id, the last of which ended then.
type generation struct {
	seen  map[int64]sighting
	ended int64
}

func newRecent() *recent {
	return &recent{
		open:  map[int64]struct{}{},
		young: generation{seen: map[int64]sighting{}}, old: generation{seen: map[int64]sighting{}},
	}
}

// last is what was noted last of a row.
func (r *recent) last(id int64) (s sighting, seen bool) {
	if s, seen = r.young.seen[id]; !seen {
		s, seen = r.old.seen[id]
	}
	return s, seen
}

func (r *recent) note(id int64, s sighting) {
	r.young.seen[id] = s
	r.young.ended = max(r.young.ended, s.ended)
}

// begin registers a request that is about to be sent.
func (r *recent) begin(began int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[began] = struct{}{}
}

// end gives up requests whose rows are compared, or never will be, and forgets
// a generation that ended before every request still open began.
func (r *recent) end(began ...int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range began {
		delete(r.open, b)
	}
	oldest := int64(math.MaxInt64)
	for b := range r.open {
		oldest = min(oldest, b)
	}
	if r.old.ended < oldest {
		clear(r.old.seen)
		r.old, r.young = r.young, generation{seen: r.old.seen}
	}
}

// newest returns the rows of a batch, each id once, in the version that was read
// last. Of two different versions read at overlapping times nobody can tell which
// is newer: such ids are doubtful, to be read once more.
func (r *recent) newest(batch []reading) (rows []latest, doubtful []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	n := 0
	for _, reading := range batch {
		n += len(reading.rows)
	}
	rows = make([]latest, 0, n)
	for _, reading := range batch {
		for _, row := range reading.rows {
			before, known := r.last(row.ID)
			switch {
			case known && before.began > reading.ended:
				continue
			case known && before.ended > reading.began && before.spelling != row.spelling:
				doubtful = append(doubtful, row.ID)
			}
			version := latest{row, reading.origin, reading.window != nil, reading.behind}
			at := len(rows)
			if twice := known && before.call == r.calls; twice {
				at = before.at
				rows[at] = version
			} else {
				rows = append(rows, version)
			}
			r.note(row.ID, sighting{reading.span, row.spelling, r.calls, at})
		}
	}
	return rows, doubtful
}

// missed tells whether a request that did not find a row proves it gone: no other
// one saw the row at the same time or later.
func (r *recent) missed(id int64, by span) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, seen := r.last(id)
	return !seen || s.ended < by.began
}

// gone notes that a request proved a row gone.
func (r *recent) gone(id int64, by span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(id, sighting{span: by})
}
