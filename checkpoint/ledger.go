package checkpoint

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// EntryState says what the ledger knows of a row.
type EntryState int

// The states of an Entry.
const (
	Live    EntryState = iota // the topic's last record holds content with this hash
	Deleted                   // the topic's last record is a delete or tombstone
	Dirty                     // the topic's last record is not this entry's: publish the row again
)

// Entry is what the ledger holds of one row.
type Entry struct {
	ID    int64
	Seq   int64       // of the newest record known
	Hash  schema.Hash // zero unless the state is Live
	State EntryState
}

// hashBytes is how a state is stored: null for a deleted row, empty for a dirty one.
func (e Entry) hashBytes() []byte {
	switch e.State {
	case Deleted:
		return nil
	case Dirty:
		return []byte{}
	}
	return e.Hash[:]
}

func entryOf(id, seq int64, hash []byte) Entry {
	e := Entry{ID: id, Seq: seq}
	switch {
	case hash == nil:
		e.State = Deleted
	case len(hash) != len(e.Hash):
		e.State = Dirty
	default:
		e.Hash = schema.Hash(hash)
	}
	return e
}

// Entries looks up the rows of entity with the given ids. A row that the ledger
// does not know is absent from the map.
func (s *Store) Entries(ctx context.Context, entity string, ids []int64) (map[int64]Entry, error) {
	known := make(map[int64]Entry, len(ids))
	rows, err := s.pool.Query(ctx, `
SELECT entity_id, seq, hash FROM poller_ledger
WHERE entity_type = $1 AND entity_id = ANY($2)`, entity, ids)
	if err != nil {
		return nil, fmt.Errorf("read ledger of %s: %w", entity, err)
	}
	var id, seq int64
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &seq, &hash}, func() error {
		known[id] = entryOf(id, seq, hash)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger of %s: %w", entity, err)
	}
	return known, nil
}

// DirtyIDs lists up to limit rows of entity that must be published again, ids
// ascending, above after.
func (s *Store) DirtyIDs(ctx context.Context, entity string, after int64, limit int) ([]int64, error) {
	rows, err := s.pool.Query(ctx, `
SELECT entity_id FROM poller_ledger
WHERE entity_type = $1 AND hash = ''::bytea AND entity_id > $2 ORDER BY entity_id LIMIT $3`, entity, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read dirty ledger of %s: %w", entity, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read dirty ledger of %s: %w", entity, err)
	}
	return ids, nil
}

// saveLedgerQuery writes entries whose records this poller has had acknowledged.
const saveLedgerQuery = `
INSERT INTO poller_ledger AS l (entity_type, entity_id, seq, hash)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bytea[])
ON CONFLICT (entity_type, entity_id) DO UPDATE
SET seq = excluded.seq, hash = excluded.hash WHERE l.seq < excluded.seq`

// foldLedgerQuery writes what was read back from the topic, the last record of
// each key. A record older than the ledger's came from a former holder: the row
// becomes dirty, until the record that the ledger knows is met further on.
const foldLedgerQuery = `
INSERT INTO poller_ledger AS l (entity_type, entity_id, seq, hash)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bytea[])
ON CONFLICT (entity_type, entity_id) DO UPDATE
SET seq = greatest(l.seq, excluded.seq),
    hash = CASE WHEN excluded.seq >= l.seq THEN excluded.hash ELSE ''::bytea END`

func writeEntries(ctx context.Context, tx pgx.Tx, query, entity string, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	ids, seqs, hashes := make([]int64, len(entries)), make([]int64, len(entries)), make([][]byte, len(entries))
	for i, e := range entries {
		ids[i], seqs[i], hashes[i] = e.ID, e.Seq, e.hashBytes()
	}
	_, err := tx.Exec(ctx, query, entity, ids, seqs, hashes)
	return err
}
