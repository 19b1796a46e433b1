package capture

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"odastream/oda"
	"odastream/schema"
)

// source is the client of the source; *oda.Client is one.
type source interface {
	Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error)
	Extent(ctx context.Context, set string, lane oda.Lane) (oda.Extent, error)
	PausedUntil(set string) time.Time
}

// reader reads one entity from the source. It is safe for concurrent use.
type reader struct {
	entity    string
	source    source
	seq       *seqClock
	recent    *recent
	clock     *sourceClock
	pace      *pace
	watermark atomic.Int64 // of the tail; microseconds since 1970, 0: none yet
}

// read asks for one page. The page must be submitted to the writer or discarded.
func (r *reader) read(ctx context.Context, w oda.Window, lane oda.Lane, origin schema.Origin) (page, error) {
	p := page{span: span{began: r.seq.next()}, origin: origin, watermark: r.watermark.Load()}
	r.recent.begin(p.began)
	answer, err := r.source.Page(ctx, r.entity, w, lane)
	if err != nil {
		r.discard(p)
		return page{}, err
	}
	r.clock.observe(answer)
	r.pace.observe(answer.Received.Sub(answer.Sent))
	p.ended, p.rows, p.rejects = r.seq.next(), withChecksums(answer.Rows), answer.Rejects
	var known bool
	if p.last, known = answer.LastID(); !known && len(p.rejects) >= schema.PageSize {
		r.discard(p)
		return page{}, fmt.Errorf("read %s: a page of %d elements has no id to go on from: %w", r.entity, len(p.rejects), oda.ErrNotHonoured)
	}
	// A page without an id that is not full is the last one. Nothing is above the
	// highest id that can be asked for.
	p.more = known && p.last < w.IDs.High
	p.last = max(p.last, schema.NoStart+1) // the lowest id is no lower bound: NoStart means none
	return p, nil
}

// readConfirmed is read, but believes in an empty page only if a second answer is empty
// too: a source that answers 200 with no rows by mistake would hide all rows that follow.
func (r *reader) readConfirmed(ctx context.Context, w oda.Window, lane oda.Lane, origin schema.Origin) (page, error) {
	p, err := r.read(ctx, w, lane, origin)
	if err != nil || !p.empty() {
		return p, err
	}
	r.discard(p)
	return r.read(ctx, w, lane, origin)
}

// discard ends the request of a page whose rows will not be compared.
func (r *reader) discard(p page) { r.recent.end(p.began) }
