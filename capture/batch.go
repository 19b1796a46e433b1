package capture

import (
	"slices"

	"odastream/checkpoint"
	"odastream/schema"
)

// message is what is sent to the writer: a page, an absence, a flush or a refold.
type message interface {
	addTo(b *batch)
}

// absence says that rows are deleted at the source: requests during span found
// their neighbours and not them.
type absence struct {
	span
	ids []int64
}

// flush asks the writer to save progress, and to close saved once that and all
// that was sent before it is saved.
type flush struct {
	progress checkpoint.Progress
	saved    chan<- struct{}
}

// refold asks the writer to fold the topic's new records into the ledger before it
// compares the pages of the same batch and of later ones.
type refold struct{}

// batch is the messages that the writer handles together.
type batch struct {
	pages    []page
	absences []absence
	refold   bool
	progress checkpoint.Progress
	saved    []chan<- struct{} // to be closed once the batch is saved
}

func (p page) addTo(b *batch) {
	b.pages = append(b.pages, p)
	mergeProgress(&b.progress, p.progress)
}

func (a absence) addTo(b *batch) { b.absences = append(b.absences, a) }

func (f flush) addTo(b *batch) {
	mergeProgress(&b.progress, f.progress)
	b.saved = append(b.saved, f.saved)
}

func (refold) addTo(b *batch) { b.refold = true }

// add adds a later batch.
func (b *batch) add(later batch) {
	b.pages = append(b.pages, later.pages...)
	b.absences = append(b.absences, later.absences...)
	b.saved = append(b.saved, later.saved...)
	mergeProgress(&b.progress, later.progress)
}

// size returns the number of rows on the batch's pages.
func (b *batch) size() int {
	rows := 0
	for _, p := range b.pages {
		rows += len(p.rows)
	}
	return rows
}

// empty reports whether there is nothing in the batch to publish or save.
func (b *batch) empty() bool { return len(b.pages)+len(b.absences)+len(b.saved) == 0 }

// canWait reports whether the batch, of which nothing is to be published, can be
// saved later: it has only the progress of a scan, and not enough of it to be worth
// a transaction.
func (b *batch) canWait() bool {
	if len(b.absences)+len(b.saved) > 0 {
		return false
	}
	tailOrBroken := func(p page) bool { return p.complete == nil || len(p.rejects) > 0 }
	return !slices.ContainsFunc(b.pages, tailOrBroken) && b.size() < batchRows
}

// lookups returns what must be looked up in the ledger: for the rows of a scan's
// page the ids that the page covers, which also shows what is missing from it.
func (b *batch) lookups() (ids []int64, ranges []schema.IDRange) {
	for _, a := range b.absences {
		ids = append(ids, a.ids...)
	}
	for _, p := range b.pages {
		if p.complete != nil {
			ranges = append(ranges, *p.complete)
			continue
		}
		for _, row := range p.rows {
			ids = append(ids, row.ID)
		}
	}
	return ids, ranges
}

// mergeProgress adds to all what a later message says of the progress of pass and
// scan.
func mergeProgress(all *checkpoint.Progress, later checkpoint.Progress) {
	for _, r := range later.Ranges {
		all.Ranges = append(slices.DeleteFunc(all.Ranges, func(have checkpoint.ScanRange) bool { return have.Low == r.Low }), r)
	}
	if later.Pass != nil {
		all.Pass = later.Pass
	}
	if !later.Watermark.IsZero() {
		all.Watermark, all.WallClock = later.Watermark, later.WallClock
	}
	if !later.LoadedAt.IsZero() {
		all.LoadedAt = later.LoadedAt
	}
	if !later.ScannedAt.IsZero() {
		all.ScannedAt = later.ScannedAt
	}
	if !later.ConsistentThrough.IsZero() {
		all.ConsistentThrough = later.ConsistentThrough
	}
}
