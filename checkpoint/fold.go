package checkpoint

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Fold stores what was read back from the topic (invariant 8): p.Entries holds
// the records in the order of their partition, a row as often as it was met, and
// p.Positions the offsets behind them. A row whose last record is older than the
// newest one that is known, from the ledger or from a record before it, becomes
// dirty: a former holder of the lease wrote it (invariant 4). How the records are
// spread over calls makes no difference. Errors are those of Save.
func (s *Store) Fold(ctx context.Context, lease Lease, p Progress) error {
	p.Entries = lastWords(p.Entries)
	return s.fenced(ctx, lease, "fold", func(tx pgx.Tx) error {
		return save(ctx, tx, lease.Entity, foldLedgerQuery, p)
	})
}

// lastWords brings records down to what the last one of each row says, by the
// rule of foldLedgerQuery.
func lastWords(records []Entry) []Entry {
	places := make(map[int64]int, len(records))
	rows := make([]Entry, 0, len(records))
	for _, e := range records {
		e.New = false // the ledger is asked, whatever the reader believes
		i, met := places[e.ID]
		switch {
		case !met:
			places[e.ID] = len(rows)
			rows = append(rows, e)
		case e.Seq >= rows[i].Seq:
			rows[i] = e
		default:
			rows[i] = Entry{ID: e.ID, Seq: rows[i].Seq, State: Dirty}
		}
	}
	return rows
}
