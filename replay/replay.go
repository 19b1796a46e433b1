package replay

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

// batchRecords is how many records are applied in one transaction. It holds the
// partition's lock no longer than a batch of the sink.
const batchRecords = 2000

// AllPartitions stands for all partitions instead of a partition's number.
const AllPartitions = -1

// AllRows is the range of all possible ids of a record.
func AllRows() schema.IDRange { return schema.IDRange{Low: math.MinInt64, High: schema.NoEnd} }

// DescribeRows describes the rows of a range for a person.
func DescribeRows(ids schema.IDRange) string {
	switch {
	case ids == AllRows():
		return "all rows"
	case ids.High-ids.Low == 1:
		return fmt.Sprintf("row %d", ids.High)
	}
	return fmt.Sprintf("rows %d to %d", ids.Low+1, ids.High)
}

// Replayer applies records of topics to the cache. The zero value cannot be used.
type Replayer struct {
	Client *kgo.Client // the caller closes it
	Topics *stream.Topics
	Kafka  stream.Config
	Store  *cache.Store
	Reader *cache.Reader
	// Progress, if not nil, is called now and then with the number of records read so
	// far.
	Progress func(read int)
	// LeftOut, if not nil, is called with each record that was not applied, and why: it
	// is unreadable, or Postgres refuses it.
	LeftOut func(at cache.TopicPartitionOffset, what string, err error)
}

// Plan is what a replay reads.
type Plan struct {
	Entity string
	IDs    schema.IDRange // of the rows whose records are applied
	Spans  []Span         // partitions to read, from At to End

	offsets []int64 // first offsets, by partition
}

// Offsets returns how many offsets the plan covers, compacted records included.
func (p Plan) Offsets() (n int64) {
	for _, s := range p.Spans {
		n += s.End - s.At
	}
	return n
}

// Plan finds where a replay of an entity's rows begins, in all partitions or in one. It
// changes nothing. If ids holds one row, only the row's partition is read.
func (r *Replayer) Plan(ctx context.Context, entity string, ids schema.IDRange, from Place, partition int) (Plan, error) {
	p := Plan{Entity: entity, IDs: ids}
	state, err := r.Topics.State(ctx, entity)
	if err != nil {
		return p, err
	}
	if ids.High-ids.Low == 1 {
		only := int(stream.PartitionOf(schema.Key(entity, ids.High), state.Partitions()))
		if partition >= 0 && partition != only {
			return p, fmt.Errorf("%s of %s is in partition %d, not in %d", DescribeRows(ids), entity, only, partition)
		}
		partition = only
	}
	if p.Spans, err = from.find(ctx, kadm.NewClient(r.Client), []string{r.Kafka.Topic(entity)}, partition); err != nil {
		return p, err
	}
	p.offsets = slices.Clone(state.End) // the other partitions are not read
	for _, s := range p.Spans {
		p.offsets[s.Partition] = s.At
	}
	return p, nil
}

// Report is the result of a replay.
type Report struct {
	Entity     string `json:"entity"`
	DryRun     bool   `json:"dryRun"`
	Read       int    `json:"read"`       // records
	Chosen     int    `json:"chosen"`     // records of the chosen rows
	Would      int    `json:"wouldWrite"` // in a dry run, rows that the cache does not have or has in an older version
	Inserted   int    `json:"inserted"`
	Updated    int    `json:"updated"`
	Deleted    int    `json:"deleted"`
	Unchanged  int    `json:"unchanged"`  // newer ones with the same content
	Stale      int    `json:"stale"`      // no newer than what the cache holds
	Superseded int    `json:"superseded"` // no newer than another record of the replay
	Unreadable int    `json:"unreadable"` // records that are no changes
	Refused    int    `json:"refused"`    // by Postgres, for their content
}

// Run applies the records of a plan, up to the partitions' ends when it begins. With
// dry it counts what would be written. After an error what was applied stays applied,
// and the report tells how far Run came.
func (r *Replayer) Run(ctx context.Context, p Plan, dry bool) (Report, error) {
	run := run{Replayer: r, ids: p.IDs, dry: dry, report: Report{Entity: p.Entity, DryRun: dry}, newer: map[int64]bool{}}
	_, err := r.Topics.ReadLog(ctx, p.Entity, p.offsets, func(records []*kgo.Record) error { return run.take(ctx, records) })
	run.report.Would = len(run.newer)
	return run.report, err
}

// run is one call of Run.
type run struct {
	*Replayer
	ids    schema.IDRange
	dry    bool
	report Report
	newer  map[int64]bool // rows that a dry run would write
}

// take applies the chosen records of a span of one partition.
func (r *run) take(ctx context.Context, records []*kgo.Record) error {
	var chosen []cache.Record
	for _, rec := range records {
		r.report.Read++
		if _, id, err := schema.ParseKey(string(rec.Key)); err == nil && !r.ids.Contains(id) {
			continue
		}
		tp := schema.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
		m, err := r.Kafka.Decode(rec)
		if err != nil {
			r.report.Unreadable++
			r.leftOut(tp, rec.Offset, "unreadable", err)
			continue
		}
		chosen = append(chosen, cache.Record{TopicPartition: tp, Offset: rec.Offset, Change: m.Change, Tombstone: m.Tombstone})
	}
	r.report.Chosen += len(chosen)
	for batch := range slices.Chunk(chosen, batchRecords) {
		if err := r.apply(ctx, batch); err != nil {
			return err
		}
	}
	if r.Progress != nil {
		r.Progress(r.report.Read)
	}
	return nil
}

// apply writes a batch, without the records that Postgres refuses.
func (r *run) apply(ctx context.Context, records []cache.Record) error {
	if r.dry {
		return r.compare(ctx, records)
	}
	return cache.Bisect(records, func(part []cache.Record) error {
		// Apply keeps Invariant 3 and locks the partition. Without a move no offset
		// changes.
		result, err := r.Store.Apply(ctx, cache.Batch{Records: part})
		if err == nil {
			r.report.add(result)
		}
		return err // Invariant 6: an outage says nothing about the records
	}, func(record cache.Record, fault error) error {
		r.report.Refused++
		r.leftOut(record.TopicPartition, record.Offset, "refused", fault)
		return nil
	})
}

// compare counts what apply would write.
func (r *run) compare(ctx context.Context, records []cache.Record) error {
	ids := make([]int64, len(records))
	for i := range records {
		ids[i] = records[i].Change.ID
	}
	seqs, err := r.Reader.Seqs(ctx, r.report.Entity, ids)
	if err != nil {
		return err
	}
	for i := range records {
		if c := records[i].Change; c.Seq > seqs[c.ID] {
			r.newer[c.ID] = true
		} else {
			r.report.Stale++
		}
	}
	return nil
}

func (r *run) leftOut(tp schema.TopicPartition, offset int64, what string, err error) {
	if r.LeftOut != nil {
		r.LeftOut(cache.TopicPartitionOffset{TopicPartition: tp, Offset: offset}, what, err)
	}
}

func (p *Report) add(result cache.Result) {
	p.Inserted += result.Inserted
	p.Updated += result.Updated
	p.Deleted += result.Deleted
	p.Unchanged += result.Unchanged
	p.Stale += result.Stale
	p.Superseded += result.Superseded
}
