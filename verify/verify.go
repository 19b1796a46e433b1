package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

// What Options with zero values get.
const (
	defaultPatience = 10 * time.Second
	defaultWorkers  = 4
)

// ErrNoTables says that the database was never migrated.
var ErrNoTables = errors.New("the database has no tables of odastream: start a poller or a sink on it, or run odastream migrate")

// Options say how thorough a verification is. The zero value compares numbers
// alone.
type Options struct {
	Full   bool // compare every row by content: a request for each 100 rows
	Sample int  // without Full: windows of 100 rows to compare, at random ids of each entity
	// Patience is how long a suspected difference is looked at again; 0 is 10 s.
	// A second look is taken in any case.
	Patience time.Duration
	Workers  int // ranges read at once, 0 is 4; the client's own budget holds as well
	// Progress is told how far it is, often and by several goroutines; nil: nobody.
	Progress func(text string)
}

// Verifier compares. It is safe for concurrent use.
type Verifier struct {
	source source
	ledger ledger
	pool   *pgxpool.Pool
	log    *slog.Logger
}

// New returns a Verifier of the copy in pool against source. Both stay the
// caller's to close; a statement_timeout of the pool bounds the count of an
// entity's rows.
func New(source *oda.Client, pool *pgxpool.Pool, log *slog.Logger) *Verifier {
	return &Verifier{source: source, ledger: checkpoint.New(pool), pool: pool, log: log}
}

// Verify compares entities and reports. Differences and a source that does not
// answer for an entity stand in the report; an error is the database's
// (ErrNoTables: it was never migrated) or the end of ctx.
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
			c := &check{run: &r, out: &report.Entities[i], suspects: map[int64]suspect{}}
			c.out.Name = e.Name
			if err := c.verify(ctx); err != nil {
				return asNoTables(fmt.Errorf("verify %s: %w", e.Name, err))
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

// asNoTables knows the error of a database without our tables.
func asNoTables(err error) error {
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok && fault.Code == "42P01" { // undefined_table
		return ErrNoTables
	}
	return err
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

// tell says how far the run is.
func (r *run) tell(entity string) {
	if r.options.Progress != nil {
		r.options.Progress(fmt.Sprintf("%d of %d entities, %d rows compared, at %s", r.finished.Load(), r.entities, r.read.Load(), entity))
	}
}
