package verify

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

// source is what a Verifier needs of the source; *oda.Client is one.
type source interface {
	Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error)
	Count(ctx context.Context, set string, w oda.Window, lane oda.Lane) (int64, error)
	Extent(ctx context.Context, set string, lane oda.Lane) (oda.Extent, error)
}

// The defaults of zero Options.
const (
	defaultPatience = 10 * time.Second
	defaultWorkers  = 4
)

// Options say how thorough a verification is. The zero value compares only counts.
type Options struct {
	Full   bool // compare every row by content: a request for each 100 rows
	Sample int  // without Full: windows of 100 rows to compare, at random ids of each entity
	// Patience is how long a row that differs is read again; 0 is 10 s. It is read a
	// second time in any case.
	Patience time.Duration
	Workers  int // ranges read at once, 0 is 4; the client's own limits apply too
	// Progress, if not nil, is called often and by several goroutines with how far it
	// is.
	Progress func(text string)
}

// Verifier compares. It is safe for concurrent use.
type Verifier struct {
	source source
	ledger *checkpoint.Store
	cache  *cache.Reader
	topics topics // nil: not compared
}

// New returns a Verifier of ledger and rows against source. The caller closes all of
// them. A statement_timeout of the database limits the count of an entity's rows.
func New(source source, ledger *checkpoint.Store, rows *cache.Reader) *Verifier {
	return &Verifier{source: source, ledger: ledger, cache: rows}
}

// Verify compares entities and returns a report. The report holds differences and
// entities for which the source did not answer. An error comes from the database
// (cache.IsMissingTable: it was never migrated) or from the end of ctx.
func (v *Verifier) Verify(ctx context.Context, entities []schema.Entity, o Options) (Report, error) {
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Workers < 1 {
		o.Workers = defaultWorkers
	}
	r := run{Verifier: v, options: o, began: time.Now().UTC(), entities: len(entities), slots: make(chan struct{}, o.Workers)}
	report := Report{AsOf: r.began.Truncate(time.Second), Full: true, Entities: make([]Entity, len(entities))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.Workers)
	for i, e := range entities {
		group.Go(func() error {
			c := &check{run: &r, out: &report.Entities[i], candidates: map[int64]candidate{}}
			c.out.Name = e.Name
			if err := c.verify(ctx); err != nil {
				return fmt.Errorf("verify %s: %w", e.Name, err)
			}
			r.finished.Add(1)
			r.tell(e.Name)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Report{}, err
	}
	for _, e := range report.Entities {
		report.Full = report.Full && (e.Whole || e.Absent)
	}
	report.Seconds = time.Since(r.began).Seconds()
	report.conclude()
	return report, nil
}

// run is one verification of several entities.
type run struct {
	*Verifier
	options  Options
	began    time.Time
	entities int
	slots    chan struct{} // one for each range that is read at a time

	finished atomic.Int64 // entities
	read     atomic.Int64 // rows
}

// tell reports how far the run is.
func (r *run) tell(entity string) {
	if r.options.Progress != nil {
		r.options.Progress(fmt.Sprintf("%d of %d entities, %d rows compared, at %s", r.finished.Load(), r.entities, r.read.Load(), entity))
	}
}
