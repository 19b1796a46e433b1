package verify

import (
	"odastream/checkpoint"
	"odastream/schema"
)

// atSource is a row as the source gave it. The zero value means that it has none.
type atSource struct {
	present bool
	hash    schema.Hash
	stamp   string
	data    []byte // shares memory with its page
}

// same reports whether two reads are equal.
func (a atSource) same(b atSource) bool { return a.present == b.present && a.hash == b.hash }

// stored is a row of the cache. The zero value means that there is none.
type stored struct {
	present bool
	expired bool // CACHE_TTL has removed it: it does not count as missing
	hash    schema.Hash
	seq     int64
	agrees  bool // Postgres finds it equal to the source's row
}

// view is one row in all three places, read at one time.
type view struct {
	id     int64
	source atSource
	entry  checkpoint.Entry // zero: the ledger does not have the row
	stored stored
}

// inLedger reports whether the ledger says that the topic holds the row. Each entry has
// a seq.
func (v view) inLedger() bool { return v.entry.Seq > 0 && v.entry.State != checkpoint.Deleted }

// difference returns what is wrong; ok is false if all agree.
func (v view) difference() (d Difference, wrong bool) {
	d = Difference{ID: v.id, Ledger: v.ledgerFinding(), Cache: v.cacheFinding()}
	d.Dirty = d.Ledger == Different && v.entry.State == checkpoint.Dirty
	return d, d.Ledger != "" || d.Cache != ""
}

func (v view) ledgerFinding() Finding {
	switch {
	case !v.source.present && (v.inLedger() || v.entry.State == checkpoint.Lost):
		return Extra // the delete of a lost row is still to be published too
	case v.source.present && !v.inLedger():
		return Missing
	case v.source.present && (v.entry.State == checkpoint.Dirty || v.entry.Hash != v.source.hash):
		return Different
	}
	return ""
}

// cacheFinding compares content hashes; the cache's is that of jsonb's own text. jsonb
// keeps one of two members with the same name, keeps no order, and spells 1e2 as 100,
// -0.0 as 0.0 and \u00f8 as ø. So Postgres compares rows whose hashes differ before
// they count as different (agrees).
func (v view) cacheFinding() Finding {
	switch {
	case !v.source.present && v.stored.present:
		return Extra
	case v.source.present && v.stored.expired:
		return ""
	case v.source.present && !v.stored.present:
		return Missing
	case v.source.present && v.stored.hash != v.source.hash && !v.stored.agrees:
		return Different
	}
	return ""
}
