package rebuild

import (
	"context"

	"odastream/cache"
	"odastream/stream"
)

// Rebuilder compares the cache of an entity with the entity's topic, and mends
// what differs, while sinks run or not. The zero value is of no use.
type Rebuilder struct {
	Topics *stream.Topics
	Kafka  stream.Config
	Store  shadows // a *cache.Store of the group whose offsets say what is applied
	// Progress is called now and then with how far the work is; nil: it is not.
	Progress func(Progress)
}

// shadows makes the table that a topic is read into.
type shadows interface {
	OpenShadow(ctx context.Context, topic cache.ShadowTopic) (*cache.ShadowTable, error)
}

// Progress is how far a rebuild is.
type Progress struct {
	Comparing bool  // the topic is read
	Done, All int64 // offsets while the topic is read, rows then
}

// Rebuild reads the entity's topic from its start to its end and mends what the
// cache has otherwise; with dry it only looks. Only differences are written.
// Changes that the sink has not applied are left to it, for it writes the history.
//
// It returns stream.ErrNoTopic, stream.ErrNotCompacted, or cache.ErrNotApplied
// where there is nothing to compare; what was mended before an error stays mended.
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
		return c.inParts(ctx, found.Candidates, func(ids []int64) error { return c.mend(ctx, ids, &report) })
	})
	return report, err
}

// DeleteAbsent deletes the rows of an entity of which the topic holds no record:
// their deletes were compacted away before the sink read them. Errors are
// Rebuild's.
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
		return c.inParts(ctx, found.Candidates, func(ids []int64) error {
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

// open checks that the topic can be compared and makes its shadow table.
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
		topics: r.Topics, entity: entity, topic: topic, table: table, progress: progress, state: state, next: state.Start,
	}, nil
}
