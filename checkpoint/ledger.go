package checkpoint

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"odastream/internal/session"
	"odastream/schema"
)

// EntryState is the state of a row in the ledger.
type EntryState int

// The states of an Entry.
const (
	Live    EntryState = iota // the topic's last record of the row has content with this hash
	Deleted                   // the topic's last record of the row is a delete or tombstone
	Dirty                     // the topic's last record of the row is out of date: publish the row again
	Lost                      // the topic was recreated and has no record of the row yet
)

// Entry is what the ledger holds of one row.
type Entry struct {
	ID    int64
	Seq   int64       // of the newest record known; 0 only if the state is Lost
	Hash  schema.Hash // zero unless the state is Live
	State EntryState
	// Checksum is that of the row as it was last read. It is 0 unless the state is
	// Live, and for a row that was saved before checksums were stored.
	Checksum schema.Checksum
	// Stamp is the opdateringsdato of the newest version known, "" if that is a delete.
	// It stays when the row becomes Dirty or Lost: an older version of the row is told by
	// it.
	Stamp string
	// Fields are the hashes of the row's members, by which the changed ones of a later
	// version are found. They are nil unless the state is Live.
	Fields schema.Fields
	// New means that the ledger has no entry of the row: Save then need not look for
	// one, and is faster. If there is an entry, Save fails and stores
	// nothing.
	New bool
}

// hashBytes returns the column hash of an entry, which also encodes its state: null
// for Deleted and, with seq 0, for Lost; empty for Dirty.
func (e Entry) hashBytes() []byte {
	switch e.State {
	case Deleted, Lost:
		return nil
	case Dirty:
		return []byte{}
	}
	return e.Hash[:]
}

// storedStamp returns the column stamp of an entry. Invariant 5: a fold fails on no
// record, so what Postgres refuses is replaced.
func (e Entry) storedStamp() string { return schema.StorableText(e.Stamp) }

func entryOf(id, seq int64, hash []byte, checksum schema.Checksum, stamp *string, fields []byte) Entry {
	e := Entry{ID: id, Seq: seq}
	if stamp != nil {
		e.Stamp = *stamp
	}
	switch {
	case hash == nil && seq == 0:
		e.State = Lost
		return e
	case hash == nil:
		e.State = Deleted
		return e
	case len(hash) != len(e.Hash):
		e.State = Dirty
		return e
	}
	e.Hash, e.Checksum, e.Fields = schema.Hash(hash), checksum, fields
	return e
}

// Entries returns the ledger's entries of the rows of entity with these ids, and of
// all rows in the ranges. A row without an entry is not in the map.
func (s *Store) Entries(ctx context.Context, entity string, ids []int64, ranges []schema.IDRange) (map[int64]Entry, error) {
	known := make(map[int64]Entry, len(ids))
	var batch pgx.Batch
	if len(ids) > 0 {
		batch.Queue(`
SELECT entity_id, seq, hash, spelling, stamp, fields FROM poller_ledger
WHERE entity_type = $1 AND entity_id = ANY($2)`, entity, ids).Query(entriesInto(known))
	}
	for _, r := range ranges {
		batch.Queue(`
SELECT entity_id, seq, hash, spelling, stamp, fields FROM poller_ledger
WHERE entity_type = $1 AND entity_id >= $2 AND entity_id <= $3`, entity, r.First(), r.High).Query(entriesInto(known))
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("read ledger of %s: %w", entity, err)
	}
	return known, nil
}

func entriesInto(known map[int64]Entry) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var id, seq int64
		var hash, fields []byte // allocated for each row
		var checksum schema.Checksum
		var stamp *string
		_, err := pgx.ForEachRow(rows, []any{&id, &seq, &hash, &checksum, &stamp, &fields}, func() error {
			known[id] = entryOf(id, seq, hash, checksum, stamp, fields)
			return nil
		})
		return err
	}
}

// DirtyIDs returns the ids of Dirty rows of entity: at most limit of those above
// after, ascending.
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

// saveLedgerQuery writes entries whose records are acknowledged, and the new
// checksum of a row whose content and record have not changed.
const saveLedgerQuery = `
INSERT INTO poller_ledger AS l (entity_type, entity_id, seq, hash, spelling, stamp, fields)
SELECT $1, entity_id, seq, hash, spelling, stamp, fields FROM pg_temp.poller_saved WHERE NOT fresh
ON CONFLICT (entity_type, entity_id) DO UPDATE
SET seq = excluded.seq, hash = excluded.hash, spelling = excluded.spelling, stamp = excluded.stamp, fields = excluded.fields
WHERE l.seq < excluded.seq OR l.seq = excluded.seq AND l.hash = excluded.hash`

// foldLedgerQuery writes the last record of each row that was read back from the
// topic. If it is older than the ledger's entry, a previous holder of the lease
// wrote it: the row becomes Dirty, until the record that the ledger knows, or a
// newer one, is read from the topic. The stamp stays that of the newest record. An entry
// with seq 0 makes only a row Dirty of which the ledger knows a record.
const foldLedgerQuery = `
INSERT INTO poller_ledger AS l (entity_type, entity_id, seq, hash, spelling, stamp, fields)
SELECT $1, entity_id, seq, hash, spelling, stamp, fields FROM pg_temp.poller_saved AS e
WHERE NOT fresh AND (e.seq > 0 OR (SELECT k.seq FROM poller_ledger k WHERE k.entity_type = $1 AND k.entity_id = e.entity_id) > 0)
ON CONFLICT (entity_type, entity_id) DO UPDATE
SET seq = greatest(l.seq, excluded.seq), spelling = excluded.spelling, fields = excluded.fields,
    stamp = CASE WHEN excluded.seq >= l.seq THEN excluded.stamp ELSE l.stamp END,
    hash = CASE WHEN excluded.seq >= l.seq THEN excluded.hash ELSE ''::bytea END`

// insertLedgerQuery writes entries of rows of which the ledger has none.
const insertLedgerQuery = `
INSERT INTO poller_ledger (entity_type, entity_id, seq, hash, spelling, stamp, fields)
SELECT $1, entity_id, seq, hash, spelling, stamp, fields FROM pg_temp.poller_saved WHERE fresh`

// addEntries adds the statements that write the staged entries.
func addEntries(m *session.Message, entity, query string, entries []Entry) {
	fresh := func(e Entry) bool { return e.New }
	known := func(e Entry) bool { return !e.New }
	if slices.ContainsFunc(entries, fresh) {
		m.Add(insertLedgerQuery, entity)
	}
	if slices.ContainsFunc(entries, known) {
		m.Add(query, entity)
	}
}
