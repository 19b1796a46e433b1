package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// former is what earlier trials on the directory have brought about. The zero
// value: there was none.
type former struct {
	Loaded  int       // entities whose first load is complete
	Applied int64     // records applied, all topics together
	Last    time.Time // when it was last at work
}

const formerQuery = `
SELECT (SELECT count(*) FROM poller_watermarks WHERE loaded_at IS NOT NULL),
       (SELECT coalesce(sum(next_offset), 0) FROM sink_offsets)::bigint,
       (SELECT coalesce(max(updated_at), 'epoch') FROM poller_watermarks)`

func readFormer(ctx context.Context, url string) (f former, err error) {
	err = queryRow(ctx, url, formerQuery, &f.Loaded, &f.Applied, &f.Last)
	if err != nil {
		return former{}, fmt.Errorf("read what an earlier start left: %w", err)
	}
	return f, nil
}

// forgetPollers ends the leases and announcements that a killed trial still
// holds. Nobody works under them: we alone hold the lock of the directory.
func forgetPollers(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("forget the poller of an earlier start: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, "UPDATE poller_leases SET expires_at = '-infinity'; DELETE FROM poller_members")
	if err != nil {
		return fmt.Errorf("forget the poller of an earlier start: %w", err)
	}
	return nil
}

// countRows counts the rows of the cache. On a complete copy of the live data
// that takes longer than anybody waits, so it gives up after some seconds.
func countRows(ctx context.Context, url string) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err = queryRow(ctx, url, "SELECT count(*) FROM parliamentary_data", &n)
	return n, err
}

// queryRow asks over a connection of its own.
func queryRow(ctx context.Context, url, sql string, dest ...any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return conn.QueryRow(ctx, sql).Scan(dest...)
}
