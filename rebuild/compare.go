package rebuild

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

const (
	rangeRows  = 10_000 // rows compared at a time, without a lock
	lockedRows = 1_000  // rows examined at a time under the locks, while sinks wait
	copiedRows = 2_000  // records copied at a time
)

// comparison is one entity's topic, the shadow table that it is read into, and its
// progress.
type comparison struct {
	topics   *stream.Topics
	kafka    stream.Config
	entity   string
	topic    string
	table    *cache.ShadowTable
	known    func(ctx context.Context, entity string, ids []int64) ([]int64, error)
	progress func(Progress)

	state    stream.TopicState // as it was at the beginning
	next     []int64           // the table has all records before these offsets
	offsets  int64             // offsets read, of those before state.End
	records  int64             // read
	compared int64             // rows
	keys     int64             // in the topic when it was first read
}

// fill reads the topic up to its end.
func (c *comparison) fill(ctx context.Context) error {
	var all int64
	for p, end := range c.state.End {
		all += end - c.state.Start[p]
	}
	at := append([]int64(nil), c.state.Start...)
	next, err := c.topics.ReadLog(ctx, c.entity, nil, func(records []*kgo.Record) error {
		last := records[len(records)-1]
		c.offsets += last.Offset + 1 - at[last.Partition]
		at[last.Partition] = last.Offset + 1
		c.progress(Progress{Done: min(c.offsets, all), All: all})
		return c.add(ctx, records)
	})
	if err != nil {
		return err
	}
	c.next = next
	now, err := c.topics.State(ctx, c.entity)
	if err == nil && now.ID != c.state.ID {
		err = fmt.Errorf("read topic %s: %w", c.topic, errRecreated)
	}
	if err != nil {
		return err
	}
	c.keys, err = c.table.Index(ctx)
	return err
}

var errRecreated = errors.New("it was recreated meanwhile; start again")

// readOn adds the records that arrived meanwhile. After an error some of them may be
// added again.
func (c *comparison) readOn(ctx context.Context) error {
	next, err := c.topics.ReadLog(ctx, c.entity, c.next, func(records []*kgo.Record) error { return c.add(ctx, records) })
	if err == nil {
		c.next = next
	}
	return err
}

// add copies records into the shadow table, in parts: a fetch may be large once it is
// decompressed.
func (c *comparison) add(ctx context.Context, records []*kgo.Record) error {
	for part := range slices.Chunk(records, copiedRows) {
		if err := c.copy(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) copy(ctx context.Context, records []*kgo.Record) error {
	c.records += int64(len(records))
	batch := make([]cache.Record, 0, len(records))
	for _, r := range records {
		tp := schema.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		m, err := c.kafka.Decode(r)
		if err == nil {
			batch = append(batch, cache.Record{TopicPartition: tp, Offset: r.Offset, Change: m.Change, Tombstone: m.Tombstone})
			continue
		}
		// The sink has dead-lettered it. The cache's row comes from an earlier record,
		// which may be compacted away.
		if entity, id, err := schema.ParseKey(string(r.Key)); err == nil {
			batch = append(batch, cache.Record{TopicPartition: tp, Offset: r.Offset, Change: schema.Change{Entity: entity, ID: id}})
		}
	}
	_, err := c.table.Add(ctx, batch)
	return err
}

// ranges compares the whole entity, range by range.
func (c *comparison) ranges(ctx context.Context, fn func(cache.Range) error) error {
	for low := int64(math.MinInt64); ; {
		found, err := c.table.Compare(ctx, low, rangeRows)
		if err != nil {
			return err
		}
		c.compared += max(found.InTopic, found.InCache)
		if err := fn(found); err != nil {
			return err
		}
		c.progress(Progress{Comparing: true, Done: c.compared, All: max(c.keys, c.compared)})
		if low = found.High; low == math.MaxInt64 {
			return nil
		}
	}
}

// inParts calls fn with parts of ids.
func inParts(ids []int64, fn func([]int64) error) error {
	for part := range slices.Chunk(ids, lockedRows) {
		if err := fn(part); err != nil {
			return err
		}
	}
	return nil
}

// mend examines ids under the locks and repairs the damaged rows. A row that Postgres
// refuses is left as it is and reported.
func (c *comparison) mend(ctx context.Context, ids []int64, report *Report) error {
	mend := !report.DryRun
	ids, err := c.withoutKnown(ctx, ids, report)
	if err != nil {
		return err
	}
	return cache.Bisect(ids, func(ids []int64) error {
		damaged, err := c.table.Examine(ctx, ids, mend, c.readOn)
		if err == nil {
			report.add(damaged, mend)
		}
		return err
	}, func(id int64, _ error) error {
		damaged, err := c.table.Examine(ctx, []int64{id}, false, c.readOn)
		report.add(damaged, false)
		for _, d := range damaged {
			report.Refused.add(d.ID)
		}
		return err
	})
}

// withoutKnown returns the ids without those of rows that the topic does not hold and
// must: it has lost them. They are reported.
func (c *comparison) withoutKnown(ctx context.Context, ids []int64, report *Report) ([]int64, error) {
	if c.known == nil {
		return ids, nil
	}
	damaged, err := c.table.Examine(ctx, ids, false, c.readOn)
	if err != nil {
		return nil, err
	}
	var extra []int64
	for _, d := range damaged {
		if d.Verdict == cache.Extra {
			extra = append(extra, d.ID)
		}
	}
	if len(extra) == 0 {
		return ids, nil
	}
	known, err := c.known(ctx, c.entity, extra)
	if err != nil {
		return nil, err
	}
	for _, id := range known {
		report.Lost.add(id)
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return slices.Contains(known, id) }), nil
}
