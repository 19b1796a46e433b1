package rebuild

import (
	"context"
	"errors"

	"odastream/cache"
	"odastream/stream"
)

// ErrNotCompacted is returned for a topic that forgets more than superseded
// records: a row that it does not hold may well be there.
var ErrNotCompacted = errors.New("topic does not keep the newest record of every key")

// Rebuilder compares the cache of an entity with the entity's topic, and mends
// what differs, while sinks run or not. The zero value is of no use.
type Rebuilder struct {
	Topics *stream.Topics
	Kafka  stream.Config
	Store  sides // a *cache.Store of the group whose offsets say what is applied
	// Progress is told now and then how far the work is; nil: nobody asks.
	Progress func(Progress)
}

// sides makes the table that a topic is read into.
type sides interface {
	OpenSide(ctx context.Context, topic cache.SideTopic) (*cache.SideTable, error)
}

// Progress is how far a rebuild is.
type Progress struct {
	Comparing bool  // the topic is read
	Done, All int64 // offsets while the topic is read, rows then
}

// Finding is how many keys got one verdict, and the first of them.
type Finding struct {
	Count int     `json:"count"`
	IDs   []int64 `json:"ids"` // at most mostFound
}

const mostFound = 10

// Report is what a rebuild found and did.
type Report struct {
	Entity     string  `json:"entity"`
	Topic      string  `json:"topic"`
	DryRun     bool    `json:"dryRun"`
	Records    int64   `json:"records"` // read from the topic
	InTopic    int64   `json:"inTopic"` // rows that the topic has
	InCache    int64   `json:"inCache"` // rows that the cache had
	Missing    Finding `json:"missing"`
	Different  Finding `json:"different"`
	Extra      Finding `json:"extra"`
	Undeleted  Finding `json:"undeleted"` // deletes that the cache did not remember
	Mended     int     `json:"mended"`
	Refused    Finding `json:"refused"`    // rows that Postgres does not take: their records are dead letters, or ought to be
	Pending    int64   `json:"pending"`    // keys with a change that the sink has not applied yet: left to it
	Unreadable int64   `json:"unreadable"` // keys of which the topic holds only what cannot be read: left alone
}

// Damage is how many keys were not in the cache as they are in the topic.
func (r *Report) Damage() int {
	return r.Missing.Count + r.Different.Count + r.Extra.Count + r.Undeleted.Count
}

func (r *Report) note(found []cache.Damage, mended bool) {
	findings := map[cache.Verdict]*Finding{
		cache.Missing: &r.Missing, cache.Different: &r.Different, cache.Extra: &r.Extra, cache.Undeleted: &r.Undeleted,
	}
	for _, d := range found {
		findings[d.Verdict].add(d.ID)
	}
	if mended {
		r.Mended += len(found)
	}
}

func (f *Finding) add(id int64) {
	if f.Count++; len(f.IDs) < mostFound {
		f.IDs = append(f.IDs, id)
	}
}

// Rebuild reads the entity's topic from its start to its end and mends what the
// cache has otherwise; with dry it only looks. Only differences are written.
// Changes that the sink has not applied are left to it, for it writes the history.
//
// It returns stream.ErrNoTopic, ErrNotCompacted, or cache.ErrNotApplied where
// there is nothing to compare; what was mended before an error stays mended.
func (r *Rebuilder) Rebuild(ctx context.Context, entity string, dry bool) (report Report, err error) {
	report = Report{Entity: entity, Topic: r.Kafka.Topic(entity), DryRun: dry}
	for _, f := range []*Finding{&report.Missing, &report.Different, &report.Extra, &report.Undeleted, &report.Refused} {
		f.IDs = []int64{}
	}
	s, err := r.open(ctx, entity, false)
	if err != nil {
		return report, err
	}
	defer s.table.Close() //nolint:contextcheck // it ends the session although ctx has ended
	if err := s.fill(ctx); err != nil {
		return report, err
	}
	report.Records = s.records
	err = s.ranges(ctx, func(found cache.Range) error {
		report.InTopic += found.InTopic
		report.InCache += found.InCache
		report.Pending += found.Pending
		report.Unreadable += found.Unreadable
		return s.examine(ctx, found.Suspects, &report)
	})
	return report, err
}

// Forget removes the rows of an entity of which the topic holds nothing: their
// deletes were compacted away before the sink read them. Errors are Rebuild's.
func (r *Rebuilder) Forget(ctx context.Context, entity string) (removed int, err error) {
	s, err := r.open(ctx, entity, true)
	if err != nil {
		return 0, err
	}
	defer s.table.Close() //nolint:contextcheck // it ends the session although ctx has ended
	if err := s.fill(ctx); err != nil {
		return 0, err
	}
	err = s.ranges(ctx, func(found cache.Range) error {
		return s.locked(ctx, found.Suspects, func(ids []int64) error {
			n, err := s.table.Forget(ctx, ids, s.readOn)
			removed += n
			return err
		})
	})
	if err == nil {
		err = s.table.Renew(ctx)
	}
	return removed, err
}
