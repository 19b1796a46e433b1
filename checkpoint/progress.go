package checkpoint

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"odastream/internal/session"
	"odastream/schema"
)

// Pass is a running pass of the tail. Its bounds stay as they were at its start,
// so that a restart can go on after LastID.
type Pass struct {
	After  string    `json:"after"`  // reads stamps after this Danish wall-clock text
	Until  string    `json:"until"`  // and up to this one
	Goal   time.Time `json:"goal"`   // the watermark when the pass is complete
	LastID int64     `json:"lastId"` // rows up to this id are saved
}

// Progress is what one save changes. What is zero stays as it is stored.
type Progress struct {
	// Entries are published and acknowledged, each row once. For Fold they are what
	// was read, in the topic's order.
	Entries    []Entry
	Positions  map[int32]schema.Position // by partition: up to where the ledger agrees with the topic
	Seq        int64                     // the highest used, if above that of Entries; never moves back
	Partitions int                       // of the topic; stored at the first publish and not changed after

	Pass      *Pass     // the running pass, with its LastID
	Watermark time.Time // everything stamped up to here was read; ends the pass; never moves back
	WallClock string    // Watermark as Danish text

	Ranges    []ScanRange // of the running scan: those with progress
	Vanished  []int64     // rows of the ledger that the running scan did not find
	Returned  []int64     // vanished rows that are at the source again, or whose delete is published
	LoadedAt  time.Time   // when the first load was complete
	ScannedAt time.Time   // when the scan was complete; ends it
	// ConsistentThrough is a time: everything that the source had then is published.
	// It never moves back.
	ConsistentThrough time.Time

	Lateness []Lateness // of the rows found behind the watermark
}

// Save stores p for the lease's entity in one transaction. If another poller has
// taken the lease, it stores nothing and returns ErrLeaseLost.
func (s *Store) Save(ctx context.Context, lease Lease, p Progress) error {
	return s.saveProgress(ctx, lease, "progress", saveLedgerQuery, p)
}

const saveWatermarkQuery = `
INSERT INTO poller_watermarks AS w
    (entity_type, watermark, wall_clock, loaded_at, scanned_at, consistent_through, seq, partitions, pass)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (entity_type) DO UPDATE SET
    watermark  = greatest(w.watermark, excluded.watermark),
    wall_clock = CASE WHEN excluded.watermark > coalesce(w.watermark, '-infinity') THEN excluded.wall_clock ELSE w.wall_clock END,
    loaded_at  = coalesce(excluded.loaded_at, w.loaded_at),
    scanned_at = CASE WHEN w.scanned_at > excluded.scanned_at + interval '1 hour' THEN excluded.scanned_at
                 ELSE greatest(w.scanned_at, excluded.scanned_at) END,
    consistent_through = greatest(w.consistent_through, excluded.consistent_through),
    seq        = greatest(w.seq, excluded.seq),
    partitions = CASE WHEN w.partitions = 0 THEN excluded.partitions ELSE w.partitions END,
    pass       = CASE WHEN excluded.watermark IS NOT NULL THEN NULL ELSE coalesce(excluded.pass, w.pass) END,
    updated_at = now()`

const savePositionQuery = `
INSERT INTO poller_positions (entity_type, partition, topic_id, next_offset, start_offset) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (entity_type, partition) DO UPDATE SET topic_id = excluded.topic_id, next_offset = excluded.next_offset, start_offset = excluded.start_offset`

func (s *Store) saveProgress(ctx context.Context, lease Lease, what, ledgerQuery string, p Progress) error {
	pass, err := passJSON(p.Pass)
	if err != nil {
		return fmt.Errorf("save %s of %s: %w", what, lease.Entity, err)
	}
	return s.saveFenced(ctx, lease, what, p.Entries, func(m *session.Message) {
		addEntries(m, lease.Entity, ledgerQuery, p.Entries)
		addProgress(m, lease.Entity, p, pass)
	})
}

func addProgress(m *session.Message, entity string, p Progress, pass *string) {
	for _, e := range p.Entries {
		p.Seq = max(p.Seq, e.Seq)
	}
	m.Add(saveWatermarkQuery, entity, nullTime(p.Watermark), nullText(p.WallClock), nullTime(p.LoadedAt),
		nullTime(p.ScannedAt), nullTime(p.ConsistentThrough), p.Seq, p.Partitions, pass)
	for partition, at := range p.Positions {
		m.Add(savePositionQuery, entity, partition, hex.EncodeToString(at.TopicID[:]), at.Next, at.Start)
	}
	addScan(m, entity, p)
	addLateness(m, entity, p.Lateness)
}

func passJSON(p *Pass) (*string, error) {
	if p == nil {
		return nil, nil
	}
	text, err := json.Marshal(p)
	return nullText(string(text)), err
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func nullText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
