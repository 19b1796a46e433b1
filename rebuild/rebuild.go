package rebuild

import (
	"context"

	"odastream/cache"
	"odastream/stream"
)

// Rebuilder compares the cache of an entity with the entity's topic, and repairs what
// differs. Sinks may run meanwhile. The zero value cannot be used.
type Rebuilder struct {
	Topics *stream.Topics
	Kafka  stream.Config
	Store  shadows // a *cache.Store of the group whose offsets say what is applied
	// Known, if not nil, returns which of the ids the topic must hold: the poller says so.
	// Rebuild keeps their rows although the topic does not hold them.
	Known func(ctx context.Context, entity string, ids []int64) ([]int64, error)
	// Progress, if not nil, is called now and then with how far the work is.
	Progress func(Progress)
}

// shadows creates the table that a topic is read into.
type shadows interface {
	OpenShadow(ctx context.Context, topic cache.ShadowTopic) (*cache.ShadowTable, error)
}

// Progress is how far a rebuild is.
type Progress struct {
	Comparing bool  // the topic was read, and rows are compared
	Done, All int64 // offsets while the topic is read, then rows
}

// Rebuild reads the entity's topic from its start to its end and repairs what differs
// in the cache; with dry it only compares. It writes only differences. It leaves
// changes that the sink has not applied to the sink, which also writes the history. It
// deletes no row that is Known: a topic that lost its front is no reason to.
//
// It returns stream.ErrNoTopic, stream.ErrNotCompacted, or cache.ErrNotApplied if there
// is nothing to compare. Repairs before an error stay.
func (r *Rebuilder) Rebuild(ctx context.Context, entity string, dry bool) (Report, error) {
	report := newReport(entity, r.Kafka.Topic(entity), dry)
	c, err := r.open(ctx, entity, false)
	if err != nil {
		return report, err
	}
	defer c.table.Close() //nolint:contextcheck // it ends the session although ctx has ended
	if err := c.fill(ctx); err != nil {
		return report, err
	}
	report.Records = c.records
	err = c.ranges(ctx, func(found cache.Range) error {
		report.InTopic += found.InTopic
		report.InCache += found.InCache
		report.Pending += found.Pending
		report.Unreadable += found.Unreadable
		return inParts(found.Candidates, func(ids []int64) error { return c.mend(ctx, ids, &report) })
	})
	return report, err
}

// DeleteAbsent deletes the rows of an entity for which the topic holds no record: their
// deletes were compacted away before the sink read them. Its errors are those of
// Rebuild.
func (r *Rebuilder) DeleteAbsent(ctx context.Context, entity string) (deleted int, err error) {
	c, err := r.open(ctx, entity, true)
	if err != nil {
		return 0, err
	}
	defer c.table.Close() //nolint:contextcheck // it ends the session although ctx has ended
	if err := c.fill(ctx); err != nil {
		return 0, err
	}
	err = c.ranges(ctx, func(found cache.Range) error {
		return inParts(found.Candidates, func(ids []int64) error {
			n, err := c.table.DeleteAbsent(ctx, ids, c.readOn)
			deleted += n
			return err
		})
	})
	if err == nil {
		err = c.table.RenewOffsets(ctx)
	}
	return deleted, err
}

// open checks that the topic can be compared and creates its shadow table.
func (r *Rebuilder) open(ctx context.Context, entity string, keysOnly bool) (*comparison, error) {
	state, err := r.Topics.State(ctx, entity)
	if err != nil {
		return nil, err
	}
	if err := r.Topics.CheckCompacted(ctx, entity); err != nil {
		return nil, err
	}
	topic := r.Kafka.Topic(entity)
	table, err := r.Store.OpenShadow(ctx, cache.ShadowTopic{
		Entity: entity, Topic: topic, TopicID: state.ID, Partitions: state.Partitions(), KeysOnly: keysOnly,
	})
	if err != nil {
		return nil, err
	}
	progress := r.Progress
	if progress == nil {
		progress = func(Progress) {}
	}
	return &comparison{
		topics: r.Topics, kafka: r.Kafka, entity: entity, topic: topic, table: table, known: r.Known, progress: progress, state: state, next: state.Start,
	}, nil
}
