package checkpoint

import "context"

// Fold stores what was read back from the topic. p.Entries are the records in the
// order of their partition, with a row as often as it was read. p.Positions are
// the offsets after them. A row becomes Dirty if its last record is older than
// the newest one known, from the ledger or from an earlier record: a previous
// holder of the lease wrote it. A record that is no change is a Dirty entry with seq 0;
// of a row that is not known it changes nothing. It makes no difference how the records are spread
// over calls. Errors are those of Save.
func (s *Store) Fold(ctx context.Context, lease Lease, p Progress) error {
	// Invariant 8: the topic decides what the ledger holds.
	p.Entries = lastRecords(p.Entries)
	return s.saveProgress(ctx, lease, "fold", foldLedgerQuery, p)
}

// lastRecords keeps one entry for each row: what its last record says, by the rule
// of foldLedgerQuery.
func lastRecords(records []Entry) []Entry {
	places := make(map[int64]int, len(records))
	rows := make([]Entry, 0, len(records))
	for _, e := range records {
		e.New = false // the query looks the row up in the ledger
		i, known := places[e.ID]
		switch {
		case !known:
			places[e.ID] = len(rows)
			rows = append(rows, e)
		case e.Seq >= rows[i].Seq:
			rows[i] = e
		default:
			rows[i] = Entry{ID: e.ID, Seq: rows[i].Seq, State: Dirty, Stamp: rows[i].Stamp}
		}
	}
	return rows
}
