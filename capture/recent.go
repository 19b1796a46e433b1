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
}

// latest is the row to compare when a batch shows one several times.
type latest struct {
	row
	origin schema.Origin
	behind int64 // watermark when it was asked for, in microseconds since 1970; 0: none
}

// recent orders readings that overlap in time. Tail and scan ask at once, and an
// answer that was asked for earlier may come later: it must not undo what the
// other one said. It remembers when each row was read, as long as a request that
// may be older is still open. It is safe for concurrent use.
type recent struct {
	mu   sync.Mutex
	open map[int64]struct{} // began, of requests whose rows were not compared yet
	seen map[int64]sighting // by row id
}

func newRecent() *recent {
	return &recent{open: map[int64]struct{}{}, seen: map[int64]sighting{}}
}

// begin registers a request that is about to be sent.
func (r *recent) begin(began int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[began] = struct{}{}
}

// end gives up requests whose rows are compared, or never will be, and forgets
// sightings that ended before every request still open began.
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
	for id, s := range r.seen {
		if s.ended < oldest {
			delete(r.seen, id)
		}
	}
}

// newest returns the rows of a batch, each id once, in the version that was read
// last. Of two different versions read at overlapping times nobody can tell which
// is newer: such ids are doubtful, to be read once more.
func (r *recent) newest(batch []reading) (rows []latest, doubtful []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, reading := range batch {
		n += len(reading.rows)
	}
	rows, at := make([]latest, 0, n), make(map[int64]int, n)
	for _, reading := range batch {
		for _, row := range reading.rows {
			before, known := r.seen[row.ID]
			switch {
			case known && before.began > reading.ended:
				continue
			case known && before.ended > reading.began && before.spelling != row.spelling:
				doubtful = append(doubtful, row.ID)
			}
			r.seen[row.ID] = sighting{reading.span, row.spelling}
			version := latest{row, reading.origin, reading.behind}
			if i, twice := at[row.ID]; twice {
				rows[i] = version
				continue
			}
			at[row.ID] = len(rows)
			rows = append(rows, version)
		}
	}
	return rows, doubtful
}

// missed tells whether a request that did not find a row proves it gone: no other
// one saw the row at the same time or later.
func (r *recent) missed(id int64, by span) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, seen := r.seen[id]
	return !seen || s.ended < by.began
}

// gone notes that a request proved a row gone.
func (r *recent) gone(id int64, by span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[id] = sighting{span: by}
}
