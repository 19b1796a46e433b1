package capture

import (
	"math"
	"sync"

	"odastream/schema"
)

// rowVersion is a row to compare: of the versions that a batch has of a row, the one
// that was read last.
type rowVersion struct {
	row
	origin    schema.Origin
	scanned   bool  // it is on a page with complete ids
	watermark int64 // when it was asked for; microseconds since 1970, 0 if there was none
	// deleted is set for a row whose newest version is a delete, by what the ledger has.
	deleted bool
	// lastReread is set at the last reread of a row that may be older than known.
	lastReread bool
}

// lastRead is the last read of a row. Its checksum is 0 if the row was found
// deleted.
type lastRead struct {
	span
	checksum schema.Checksum
	call, at int // the call of newest that saw it, and its place in the result
}

// recent orders reads that overlap in time. Tail and scan read at once, and an
// answer to an earlier request may arrive later: it must not undo what the other
// one showed. recent remembers when each row was read, as long as a request that
// may be older is open. It is safe for concurrent use.
type recent struct {
	mu    sync.Mutex
	open  map[int64]struct{} // began, of the requests whose rows are not compared yet
	calls int                // of newest
	// Reads are dropped by the generation, not row by row.
	young, old generation
}

// generation is the last reads of rows, by id, and when the last of them ended.
type generation struct {
	reads map[int64]lastRead
	ended int64
}

func newRecent() *recent {
	return &recent{
		open:  map[int64]struct{}{},
		young: generation{reads: map[int64]lastRead{}}, old: generation{reads: map[int64]lastRead{}},
	}
}

// last returns the last read of a row.
func (r *recent) last(id int64) (l lastRead, known bool) {
	if l, known = r.young.reads[id]; !known {
		l, known = r.old.reads[id]
	}
	return l, known
}

func (r *recent) note(id int64, l lastRead) {
	r.young.reads[id] = l
	r.young.ended = max(r.young.ended, l.ended)
}

// begin registers a request that is about to be sent.
func (r *recent) begin(began int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[began] = struct{}{}
}

// end closes requests whose rows are compared or will not be. It drops the old
// generation if all its reads ended before the open requests began.
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
		clear(r.old.reads)
		r.old, r.young = r.young, generation{reads: r.old.reads}
	}
}

// newest returns each row of the pages once, in the version that was read last. If
// two reads of a row overlap in time and differ, it cannot be told which is newer:
// the row's id is in conflicts, and the row must be read again.
func (r *recent) newest(pages []page) (rows []rowVersion, conflicts []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	n := 0
	for _, p := range pages {
		n += len(p.rows)
	}
	rows = make([]rowVersion, 0, n)
	for _, p := range pages {
		for _, row := range p.rows {
			before, known := r.last(row.ID)
			switch {
			case known && before.began > p.ended:
				continue
			case known && before.ended > p.began && before.checksum != row.checksum:
				conflicts = append(conflicts, row.ID)
			}
			v := rowVersion{row: row, origin: p.origin, scanned: p.complete != nil, watermark: p.watermark}
			at := len(rows)
			if twice := known && before.call == r.calls; twice {
				at = before.at
				rows[at] = v
			} else {
				rows = append(rows, v)
			}
			r.note(row.ID, lastRead{p.span, row.checksum, r.calls, at})
		}
	}
	return rows, conflicts
}

// provesAbsent reports whether a request during by, which did not find the row,
// proves it deleted: no other request saw the row at the same time or later.
func (r *recent) provesAbsent(id int64, by span) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, known := r.last(id)
	return !known || l.ended < by.began
}

// noteDeleted notes that a request during by proved the row deleted.
func (r *recent) noteDeleted(id int64, by span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(id, lastRead{span: by})
}
