package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// Checkpoint is all that is stored of an entity's progress.
type Checkpoint struct {
	Watermark         time.Time // zero before the first load began
	LoadedAt          time.Time // when the first load was complete; zero before
	ScannedAt         time.Time // when the last scan was complete; zero before the first
	ScanRequested     bool      // a person asked for a scan that has not begun yet
	ConsistentThrough time.Time // zero until a scan left nothing outstanding
	Seq               int64     // the highest used; 0 if nothing was published yet
	Partitions        int       // of the topic; 0 if nothing was published yet
	Pass              *Pass     // the running pass; nil if there is none
	Positions         map[int32]schema.Position
	ScanBegan         time.Time   // source's clock when the scan under way began; zero: none is
	Ranges            []ScanRange // of the running scan, newest ids first; empty if there is none
}

// Load returns the checkpoint of entity: the zero Checkpoint if no poller has
// worked on it yet.
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
	var watermark, loadedAt, scannedAt, through, began *time.Time
	err := s.pool.QueryRow(ctx, `
SELECT watermark, loaded_at, scanned_at, consistent_through, seq, partitions, pass, scan_began, scan_requested
FROM poller_watermarks WHERE entity_type = $1`, entity).
		Scan(&watermark, &loadedAt, &scannedAt, &through, &c.Seq, &c.Partitions, &c.Pass, &began, &c.ScanRequested)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Checkpoint{}, err
	}
	c.Watermark, c.LoadedAt = instant(watermark), instant(loadedAt)
	c.ScannedAt, c.ConsistentThrough, c.ScanBegan = instant(scannedAt), instant(through), instant(began)
	return c, nil
}

func (s *Store) positions(ctx context.Context, entity string) (map[int32]schema.Position, error) {
	rows, err := s.pool.Query(ctx, `
SELECT partition, topic_id, next_offset, start_offset FROM poller_positions WHERE entity_type = $1`, entity)
	if err != nil {
		return nil, err
	}
	list := map[int32]schema.Position{}
	var partition int32
	var at schema.Position
	_, err = pgx.ForEachRow(rows, []any{&partition, &at.TopicID, &at.Next, &at.Start}, func() error {
		list[partition] = at
		return nil
	})
	return list, err
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
