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

// How many rows are looked at at a time: without a lock, and under the locks, for
// which sinks wait; and how many records are copied at a time.
const (
	rangeRows  = 10_000
	lockedRows = 1_000
	copiedRows = 2_000
)

// side is one topic on its way into its side table.
type side struct {
	*Rebuilder
	entity   string
	state    stream.TopicState // as it was at the beginning
	table    *cache.SideTable
	next     []int64 // the table has what lies before these offsets
	reading  int64   // offsets read, of the first reading
	records  int64
	compared int64
	keys     int64 // that the topic held at the first reading
}

func (r *Rebuilder) open(ctx context.Context, entity string, keysOnly bool) (*side, error) {
	state, err := r.Topics.State(ctx, entity)
	if err != nil {
		return nil, err
	}
	compacted, err := r.Topics.Compacted(ctx, entity)
	if err != nil {
		return nil, err
	}
	if !compacted {
		return nil, fmt.Errorf("topic %s: %w", r.Kafka.Topic(entity), ErrNotCompacted)
	}
	table, err := r.Store.OpenSide(ctx, cache.SideTopic{
		Entity: entity, Topic: r.Kafka.Topic(entity), TopicID: state.ID, Partitions: state.Partitions(), KeysOnly: keysOnly,
	})
	if err != nil {
		return nil, err
	}
	return &side{Rebuilder: r, entity: entity, state: state, table: table, next: state.Start}, nil
}

// fill reads the topic up to its end.
func (s *side) fill(ctx context.Context) error {
	var all int64
	for p, end := range s.state.End {
		all += end - s.state.Start[p]
	}
	at := append([]int64(nil), s.state.Start...)
	next, err := s.Topics.ReadLog(ctx, s.entity, nil, func(records []*kgo.Record) error {
		last := records[len(records)-1]
		s.reading += last.Offset + 1 - at[last.Partition]
		at[last.Partition] = last.Offset + 1
		s.tell(Progress{Done: min(s.reading, all), All: all})
		return s.add(ctx, records)
	})
	if err != nil {
		return err
	}
	s.next = next
	now, err := s.Topics.State(ctx, s.entity)
	if err == nil && now.ID != s.state.ID {
		err = fmt.Errorf("read topic %s: %w", s.Kafka.Topic(s.entity), errMadeAnew)
	}
	if err != nil {
		return err
	}
	s.keys, err = s.table.Index(ctx)
	return err
}

var errMadeAnew = errors.New("it was made anew meanwhile; start again")

// read takes in what lies behind the offsets that the table has, and returns those
// behind it.
func (s *side) read(ctx context.Context) (next []int64, err error) {
	return s.Topics.ReadLog(ctx, s.entity, s.next, func(records []*kgo.Record) error { return s.add(ctx, records) })
}

// readOn reads what came meanwhile. It is called under the locks; where the
// transaction fails the records are lost with it, and so is the position.
func (s *side) readOn(ctx context.Context) error {
	_, err := s.read(ctx)
	return err
}

// catchUp reads on without the locks, so that little is left to read under them.
func (s *side) catchUp(ctx context.Context) (err error) {
	s.next, err = s.read(ctx)
	return err
}

// add brings records into the side table, part by part: what was fetched may be
// long once it is unpacked.
func (s *side) add(ctx context.Context, records []*kgo.Record) error {
	for part := range slices.Chunk(records, copiedRows) {
		if err := s.copy(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) copy(ctx context.Context, records []*kgo.Record) error {
	s.records += int64(len(records))
	batch := make([]cache.Record, 0, len(records))
	for _, r := range records {
		tp := cache.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		m, err := stream.Decode(r)
		if err == nil {
			batch = append(batch, cache.Record{TopicPartition: tp, Offset: r.Offset, Change: m.Change, Tombstone: m.Tombstone})
			continue
		}
		// The sink has dead-lettered it. Its row is in the cache as the record before
		// it made it, which may be compacted away.
		if entity, id, err := schema.ParseKey(string(r.Key)); err == nil {
			batch = append(batch, cache.Record{TopicPartition: tp, Offset: r.Offset, Change: schema.Change{Entity: entity, ID: id}})
		}
	}
	_, err := s.table.Add(ctx, batch)
	return err
}

// ranges compares the whole entity, range by range.
func (s *side) ranges(ctx context.Context, fn func(cache.Range) error) error {
	for low := int64(math.MinInt64); ; {
		found, err := s.table.Compare(ctx, low, rangeRows)
		if err != nil {
			return err
		}
		s.compared += max(found.InTopic, found.InCache)
		if err := fn(found); err != nil {
			return err
		}
		s.tell(Progress{Comparing: true, Done: s.compared, All: max(s.keys, s.compared)})
		if low = found.High; low == math.MaxInt64 {
			return nil
		}
	}
}

// locked gives fn ids in parts, each with the topic read on shortly before.
func (s *side) locked(ctx context.Context, ids []int64, fn func([]int64) error) error {
	for len(ids) > 0 {
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		n := min(len(ids), lockedRows)
		if err := fn(ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (s *side) examine(ctx context.Context, ids []int64, report *Report) error {
	return s.locked(ctx, ids, func(ids []int64) error { return s.mend(ctx, ids, report) })
}

// mend looks for a row that Postgres refuses by halves, as the sink does.
func (s *side) mend(ctx context.Context, ids []int64, report *Report) error {
	found, err := s.table.Examine(ctx, ids, !report.DryRun, s.readOn)
	_, faulty := cache.IsRecordFault(err)
	switch half := len(ids) / 2; {
	case faulty && half > 0:
		if err := s.mend(ctx, ids[:half], report); err != nil {
			return err
		}
		return s.mend(ctx, ids[half:], report)
	case faulty:
		found, err = s.table.Examine(ctx, ids, false, s.readOn)
		report.note(found, false)
		for _, d := range found {
			report.Refused.add(d.ID)
		}
		return err
	}
	report.note(found, !report.DryRun)
	return err
}

func (s *side) tell(p Progress) {
	if s.Progress != nil {
		s.Progress(p)
	}
}
