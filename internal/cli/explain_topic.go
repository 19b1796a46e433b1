package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
	"odastream/stream"
)

const (
	// readKafka limits the time to read a partition.
	readKafka = 5 * time.Minute
	// slack is how far a record's broker timestamp may lie before its seq.
	slack = time.Minute
	// mostRecords is how many of a row's newest records are shown.
	mostRecords = 5
)

// topicView is what an entity's topic holds for one row.
type topicView struct {
	Topic     string      `json:"topic"`
	Partition int32       `json:"partition"` // the partition of the row's key
	Records   []topicLine `json:"records"`   // the newest, oldest first
	Error     string      `json:"error,omitempty"`
}

// topicLine is one record.
type topicLine struct {
	Offset    int64     `json:"offset"`
	WrittenAt time.Time `json:"writtenAt"`
	Action    string    `json:"action"` // also "tombstone", and "unreadable"
	Seq       int64     `json:"seq"`
	Origin    string    `json:"origin,omitempty"`
	Changed   []string  `json:"changed,omitempty"`
}

// recordsInTopic reads the newest records of a row. seq, if not 0, is the seq of a
// record that should be there: reading begins a little before its time, and at the
// partition's start only if that finds nothing.
func recordsInTopic(ctx context.Context, cfg stream.Config, entity string, id, seq int64, log *slog.Logger) topicView {
	v := topicView{Topic: cfg.Topic(entity), Records: []topicLine{}}
	if err := v.read(ctx, cfg, entity, schema.Key(entity, id), seq, log); err != nil {
		v.Error = oneLine(err.Error())
	}
	return v
}

func (v *topicView) read(ctx context.Context, cfg stream.Config, entity, key string, seq int64, log *slog.Logger) error {
	asking, cancel := context.WithTimeout(ctx, askKafka)
	defer cancel()
	cl, err := openKafka(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer cl.Close()
	all := stream.NewTopics(cl, cfg, log)
	state, err := all.State(asking, entity)
	if err != nil {
		return err
	}
	v.Partition = stream.PartitionOf(key, state.Partitions())
	from := append([]int64(nil), state.End...) // the other partitions are not read
	if from[v.Partition], err = v.begin(asking, cl, state, seq); err != nil {
		return err
	}
	reading, stop := context.WithTimeout(ctx, readKafka)
	defer stop()
	note := func(records []*kgo.Record) error { v.note(cfg, records, key); return nil }
	_, err = all.ReadLog(reading, entity, from, note)
	if start := state.Start[v.Partition]; err == nil && len(v.Records) == 0 && from[v.Partition] > start {
		from[v.Partition] = start
		_, err = all.ReadLog(reading, entity, from, note)
	}
	return err
}

// begin returns the offset from which to look for a record with seq.
func (v *topicView) begin(ctx context.Context, cl *kgo.Client, state stream.TopicState, seq int64) (int64, error) {
	start := state.Start[v.Partition]
	if seq == 0 {
		return start, nil
	}
	listed, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, time.UnixMicro(seq).Add(-slack).UnixMilli(), v.Topic)
	if err != nil {
		return 0, fmt.Errorf("find the time of the row's last change: %w", err)
	}
	if at, ok := listed.Lookup(v.Topic, v.Partition); ok && at.Err == nil && at.Offset > start {
		return min(at.Offset, state.End[v.Partition]), nil
	}
	return start, nil
}

// note keeps the newest records of the key.
func (v *topicView) note(cfg stream.Config, records []*kgo.Record, key string) {
	for _, r := range records {
		if string(r.Key) != key {
			continue
		}
		line := topicLine{Offset: r.Offset, WrittenAt: r.Timestamp.UTC(), Action: "unreadable"}
		if m, err := cfg.Decode(r); err == nil {
			line.Action, line.Seq = string(m.Change.Action), m.Change.Seq
			line.Origin, line.Changed = string(m.Change.Origin), m.Change.Changed
			if m.Tombstone {
				line.Action = "tombstone"
			}
		}
		v.Records = append(v.Records, line)
		if n := len(v.Records) - mostRecords; n > 0 {
			v.Records = v.Records[n:]
		}
	}
}
