package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pass is a running read of the tail. Its bounds stay what they were at its
// start, so that a restart goes on behind LastID.
type Pass struct {
	After  string    `json:"after"`  // stamps above this Danish wall-clock text
	Until  string    `json:"until"`  // and up to this one
	Goal   time.Time `json:"goal"`   // the watermark once the pass is complete
	LastID int64     `json:"lastId"` // rows up to this id are saved
}

// Range is a part of a scan: the rows with ids above Low, up to High.
type Range struct {
	Low, High int64 // High 0: open
	Next      int64 // rows up to this id are saved; Low at the start
	Done      bool
}

// Position says up to which offset of a topic partition the ledger agrees with it.
type Position struct {
	TopicID    [16]byte
	NextOffset int64
}

// Progress is what one save moves. Zero members leave what is stored as it is.
type Progress struct {
	Entries   []Entry            // published and acknowledged
	Positions map[int32]Position // by partition
	Seq       int64              // highest used; never moves back

	Pass      *Pass     // the running pass, with its LastID
	Watermark time.Time // everything stamped up to here was seen: ends the pass; never moves back
	WallClock string    // Watermark as Danish text

	Ranges     []Range   // of the running scan, those that moved
	LoadedAt   time.Time // the first load is complete
	ScannedAt  time.Time // a scan was complete then: ends it
	Partitions int       // of the topic, remembered at the first publish
}

// Save stores p for the lease's entity in one transaction. It returns
// ErrLeaseLost, and stores nothing, if the lease has changed hands.
func (s *Store) Save(ctx context.Context, lease Lease, p Progress) error {
	return s.fenced(ctx, lease, "progress", func(tx pgx.Tx) error {
		return save(ctx, tx, lease.Entity, saveLedgerQuery, p)
	})
}

// Fold stores what was read back from the topic: entries holds the last record of
// each key, in p.Positions the offsets behind the last record read. An entry older
// than the ledger's makes the row dirty. Errors are those of Save.
func (s *Store) Fold(ctx context.Context, lease Lease, p Progress) error {
	return s.fenced(ctx, lease, "fold", func(tx pgx.Tx) error {
		return save(ctx, tx, lease.Entity, foldLedgerQuery, p)
	})
}

const saveWatermarkQuery = `
INSERT INTO poller_watermarks AS w (entity_type, watermark, wall_clock, loaded_at, scanned_at, seq, partitions, pass)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (entity_type) DO UPDATE SET
    watermark  = greatest(w.watermark, excluded.watermark),
    wall_clock = CASE WHEN excluded.watermark > coalesce(w.watermark, '-infinity') THEN excluded.wall_clock ELSE w.wall_clock END,
    loaded_at  = coalesce(excluded.loaded_at, w.loaded_at),
    scanned_at = greatest(w.scanned_at, excluded.scanned_at),
    seq        = greatest(w.seq, excluded.seq),
    partitions = CASE WHEN w.partitions = 0 THEN excluded.partitions ELSE w.partitions END,
    pass       = CASE WHEN excluded.watermark IS NOT NULL THEN NULL ELSE coalesce(excluded.pass, w.pass) END,
    updated_at = now()`

func save(ctx context.Context, tx pgx.Tx, entity, ledgerQuery string, p Progress) error {
	if err := writeEntries(ctx, tx, ledgerQuery, entity, p.Entries); err != nil {
		return err
	}
	pass, err := passJSON(p.Pass)
	if err != nil {
		return err
	}
	var batch pgx.Batch
	batch.Queue(saveWatermarkQuery, entity, optional(p.Watermark), optionalText(p.WallClock),
		optional(p.LoadedAt), optional(p.ScannedAt), p.Seq, p.Partitions, pass)
	for partition, at := range p.Positions {
		batch.Queue(`
INSERT INTO poller_positions (entity_type, partition, topic_id, next_offset) VALUES ($1, $2, $3, $4)
ON CONFLICT (entity_type, partition) DO UPDATE
SET topic_id = excluded.topic_id, next_offset = excluded.next_offset`, entity, partition, at.TopicID, at.NextOffset)
	}
	for _, r := range p.Ranges {
		batch.Queue(`
UPDATE poller_scans SET next = greatest(next, $3), done = done OR $4, updated_at = now()
WHERE entity_type = $1 AND low = $2`, entity, r.Low, r.Next, r.Done)
	}
	if !p.ScannedAt.IsZero() {
		batch.Queue(`DELETE FROM poller_scans WHERE entity_type = $1`, entity)
	}
	return tx.SendBatch(ctx, &batch).Close()
}

func passJSON(p *Pass) ([]byte, error) {
	if p == nil {
		return nil, nil
	}
	return json.Marshal(p)
}

// Checkpoint is all that is stored of an entity's progress.
type Checkpoint struct {
	Watermark  time.Time // zero before the first load began
	LoadedAt   time.Time // zero until the first load was complete
	ScannedAt  time.Time // zero until a scan was complete
	Seq        int64     // 0 when nothing was published yet
	Partitions int       // 0 when nothing was published yet
	Pass       *Pass     // nil when none was under way
	Positions  map[int32]Position
	Ranges     []Range // of the scan under way, newest ids first; none: no scan
}

// Load reads the checkpoint of entity. An entity never worked on has the zero
// Checkpoint.
func (s *Store) Load(ctx context.Context, entity string) (Checkpoint, error) {
	c, err := s.loadWatermark(ctx, entity)
	if err == nil {
		c.Positions, err = s.positions(ctx, entity)
	}
	if err == nil {
		c.Ranges, err = s.ranges(ctx, entity)
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("load checkpoint of %s: %w", entity, err)
	}
	return c, nil
}

func (s *Store) loadWatermark(ctx context.Context, entity string) (Checkpoint, error) {
	var c Checkpoint
	var watermark, loadedAt, scannedAt *time.Time
	err := s.pool.QueryRow(ctx, `
SELECT watermark, loaded_at, scanned_at, seq, partitions, pass FROM poller_watermarks WHERE entity_type = $1`, entity).
		Scan(&watermark, &loadedAt, &scannedAt, &c.Seq, &c.Partitions, &c.Pass)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Checkpoint{}, err
	}
	c.Watermark, c.LoadedAt, c.ScannedAt = instant(watermark), instant(loadedAt), instant(scannedAt)
	return c, nil
}

func (s *Store) positions(ctx context.Context, entity string) (map[int32]Position, error) {
	rows, err := s.pool.Query(ctx, `
SELECT partition, topic_id, next_offset FROM poller_positions WHERE entity_type = $1`, entity)
	if err != nil {
		return nil, err
	}
	list := map[int32]Position{}
	var partition int32
	var at Position
	_, err = pgx.ForEachRow(rows, []any{&partition, &at.TopicID, &at.NextOffset}, func() error {
		list[partition] = at
		return nil
	})
	return list, err
}

func (s *Store) ranges(ctx context.Context, entity string) ([]Range, error) {
	rows, err := s.pool.Query(ctx, `
SELECT low, high, next, done FROM poller_scans WHERE entity_type = $1 ORDER BY low DESC`, entity)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Range])
}

// StartScan stores the ranges of a new scan; one that was under way is forgotten.
// p, the watermark before a first load, is saved with it. Errors are those of Save.
func (s *Store) StartScan(ctx context.Context, lease Lease, ranges []Range, p Progress) error {
	return s.fenced(ctx, lease, "scan", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM poller_scans WHERE entity_type = $1`, lease.Entity); err != nil {
			return err
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"poller_scans"}, []string{"entity_type", "low", "high", "next"},
			pgx.CopyFromSlice(len(ranges), func(i int) ([]any, error) {
				return []any{lease.Entity, ranges[i].Low, ranges[i].High, ranges[i].Next}, nil
			}))
		if err != nil {
			return err
		}
		return save(ctx, tx, lease.Entity, saveLedgerQuery, p)
	})
}

// Forget drops the entity's ledger, positions, running pass and scan, and that it
// was ever loaded: its topic was made anew or cut, and everything is to be
// published again. The highest seq stays, and so does the watermark: changes go
// on from there. Errors are those of Save.
func (s *Store) Forget(ctx context.Context, lease Lease) error {
	return s.fenced(ctx, lease, "reset", func(tx pgx.Tx) error {
		var batch pgx.Batch
		for _, query := range []string{
			`DELETE FROM poller_ledger WHERE entity_type = $1`,
			`DELETE FROM poller_positions WHERE entity_type = $1`,
			`DELETE FROM poller_scans WHERE entity_type = $1`,
			`UPDATE poller_watermarks SET loaded_at = NULL, scanned_at = NULL, pass = NULL, partitions = 0 WHERE entity_type = $1`,
		} {
			batch.Queue(query, lease.Entity)
		}
		return tx.SendBatch(ctx, &batch).Close()
	})
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
