package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/console"
	"odastream/internal/daemon"
	"odastream/schema"
	"odastream/stream"
)

// replayBatch is how many records are applied in one transaction: it holds the
// partition's lock against the sink no longer than a batch of the sink's own.
const replayBatch = 2000

// replay is one run of replay to the cache.
type replay struct {
	box    *letterbox
	out    io.Writer
	line   *console.Progress
	entity string
	rows   rowRange
	dry    bool
	json   bool

	total  int64 // offsets to read; compacted ones are among them
	report replayReport
	newer  map[int64]bool // rows that a dry run would write
}

// replayReport is what came of a replay.
type replayReport struct {
	Entity     string `json:"entity"`
	DryRun     bool   `json:"dryRun"`
	Read       int    `json:"read"`       // records
	Chosen     int    `json:"chosen"`     // of the rows that were asked for
	Would      int    `json:"wouldWrite"` // rows, in a dry run: those of which the cache holds no version or an older one
	Inserted   int    `json:"inserted"`
	Updated    int    `json:"updated"`
	Deleted    int    `json:"deleted"`
	Unchanged  int    `json:"unchanged"`  // newer ones with the content that was there
	Stale      int    `json:"stale"`      // no newer than what the cache holds
	Superseded int    `json:"superseded"` // no newer than another one of the replay
	Unreadable int    `json:"unreadable"` // no changes at all
	Refused    int    `json:"refused"`    // by Postgres, for their content
}

// run reads the entity's topic from a spot, in one partition alone if that is 0 or
// more, and applies what it finds.
func (r *replay) run(ctx context.Context, from spot, partition int, stderr io.Writer) error {
	r.report, r.newer = replayReport{Entity: r.entity, DryRun: r.dry}, map[int64]bool{}
	r.line = console.NewProgress(stderr, r.box.log)
	asking, cancel := context.WithTimeout(ctx, askKafka)
	defer cancel()
	cl, err := openKafka(asking, r.box.kafka, r.box.log)
	if err != nil {
		return err
	}
	defer cl.Close()
	topics := stream.NewTopics(cl, r.box.kafka, r.box.log)
	offsets, err := r.begin(asking, cl, topics, from, partition)
	if err != nil {
		return err
	}
	if _, err := topics.ReadLog(ctx, r.entity, offsets, func(records []*kgo.Record) error { return r.take(ctx, records) }); err != nil {
		return err
	}
	r.line.Done(fmt.Sprintf("%s: %d records read", r.entity, r.report.Read))
	if err := r.conclude(); err != nil {
		return err
	}
	if r.report.Refused > 0 {
		return statusError(daemon.ExitFault)
	}
	return nil
}

// begin finds the offsets to read from, and says what will be done.
func (r *replay) begin(ctx context.Context, cl *kgo.Client, topics *stream.Topics, from spot, partition int) ([]int64, error) {
	state, err := topics.State(ctx, r.entity)
	if err != nil {
		return nil, err
	}
	topic := r.box.kafka.Topic(r.entity)
	if only := r.rows.partition(r.entity, state.Partitions()); only >= 0 {
		if partition >= 0 && partition != only {
			return nil, fmt.Errorf("%s of %s is in partition %d, not in %d", r.rows, r.entity, only, partition)
		}
		partition = only
	}
	found, err := from.find(ctx, kadm.NewClient(cl), []string{topic}, partition)
	if err != nil {
		return nil, err
	}
	offsets := slices.Clone(state.End) // the other partitions are not read
	for _, f := range found {
		offsets[f.partition] = f.at
		r.total += f.end - f.at
	}
	r.announce(topic, found)
	return offsets, nil
}

func (r *replay) announce(topic string, found []stretch) {
	if r.json {
		return
	}
	verb := "applying"
	if r.dry {
		verb = "counting only (--dry-run); it would be applied:"
	}
	fmt.Fprintf(r.out, "%s %s of %s once more to the cache, where it holds no newer version:\n", verb, r.rows, r.entity)
	for _, f := range found {
		fmt.Fprintf(r.out, "  %s partition %d from offset %d to %d", topic, f.partition, f.at, f.end)
		if f.note != "" {
			fmt.Fprintf(r.out, " (%s)", f.note)
		}
		fmt.Fprintln(r.out)
	}
}

// take applies the chosen ones of some records of one partition.
func (r *replay) take(ctx context.Context, records []*kgo.Record) error {
	var chosen []cache.Record
	for _, rec := range records {
		r.report.Read++
		if _, id, err := schema.ParseKey(string(rec.Key)); err == nil && !r.rows.has(id) {
			continue
		}
		m, err := stream.Decode(rec)
		if err != nil {
			r.complain(recordAt(rec.Topic, rec.Partition, rec.Offset), "unreadable", err)
			r.report.Unreadable++
			continue
		}
		chosen = append(chosen, cache.Record{
			TopicPartition: cache.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}, Offset: rec.Offset,
			Change: m.Change, Tombstone: m.Tombstone,
		})
	}
	r.report.Chosen += len(chosen)
	for batch := range slices.Chunk(chosen, replayBatch) {
		if err := r.apply(ctx, batch); err != nil {
			return err
		}
	}
	r.line.Set(fmt.Sprintf("%s: %d records read of at most %d", r.entity, r.report.Read, r.total))
	return nil
}

// apply writes a batch, and each of its records alone if Postgres refuses one.
func (r *replay) apply(ctx context.Context, records []cache.Record) error {
	if r.dry {
		return r.compare(ctx, records)
	}
	// Invariant 3 and the lock of the partition are Apply's. Without a move no
	// offset changes.
	result, err := r.box.Apply(ctx, cache.Batch{Records: records})
	if _, faulty := cache.IsRecordFault(err); faulty {
		return r.apart(ctx, records, err)
	}
	if err != nil {
		return err // Invariant 6: an outage says nothing about the records
	}
	r.report.add(result)
	return nil
}

// apart halves a batch until those that Postgres refuses stand alone.
func (r *replay) apart(ctx context.Context, records []cache.Record, fault error) error {
	if n := len(records); n > 1 {
		if err := r.apply(ctx, records[:n/2]); err != nil {
			return err
		}
		return r.apply(ctx, records[n/2:])
	}
	one := records[0]
	r.complain(recordAt(one.Topic, one.Partition, one.Offset), "refused", fault)
	r.report.Refused++
	return nil
}

// compare counts what apply would do.
func (r *replay) compare(ctx context.Context, records []cache.Record) error {
	ids := make([]int64, len(records))
	for i := range records {
		ids[i] = records[i].Change.ID
	}
	held, err := r.box.Held(ctx, r.entity, ids)
	if err != nil {
		return err
	}
	for i := range records {
		if c := records[i].Change; c.Seq > held[c.ID] {
			r.newer[c.ID] = true
		} else {
			r.report.Stale++
		}
	}
	return nil
}

// complain names a record that was left out.
func (r *replay) complain(at cache.TopicPartitionOffset, what string, err error) {
	r.line.Println(fmt.Sprintf("%s %s: %s", at, what, oneLine(err.Error())))
}

func (p *replayReport) add(result cache.Result) {
	p.Inserted += result.Inserted
	p.Updated += result.Updated
	p.Deleted += result.Deleted
	p.Unchanged += result.Unchanged
	p.Stale += result.Stale
	p.Superseded += result.Superseded
}

// conclude says what was done.
func (r *replay) conclude() error {
	r.report.Would = len(r.newer)
	p := r.report
	if r.json {
		return printObject(r.out, p)
	}
	var end strings.Builder
	fmt.Fprintf(&end, "%d records read, %d of %s: ", p.Read, p.Chosen, r.rows)
	if r.dry {
		fmt.Fprintf(&end, "%d rows would be written, %d records are no newer than the cache; nothing was done", p.Would, p.Stale)
	} else {
		fmt.Fprintf(&end, "%d rows inserted, %d updated, %d deleted; %d changed nothing, %d are no newer than the cache or than another",
			p.Inserted, p.Updated, p.Deleted, p.Unchanged, p.Stale+p.Superseded)
	}
	if n := p.Unreadable + p.Refused; n > 0 {
		fmt.Fprintf(&end, "; %d could not be applied", n)
	}
	_, err := fmt.Fprintln(r.out, end.String())
	return err
}
