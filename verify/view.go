package verify

import (
	"odastream/checkpoint"
	"odastream/schema"
)

// atSource is a row as the source gave it. The zero value: it gave none.
type atSource struct {
	present bool
	hash    schema.Hash
	stamp   string
	data    []byte // shares memory with its page
}

// same tells whether two looks saw the same.
func (a atSource) same(b atSource) bool { return a.present == b.present && a.hash == b.hash }

// stored is a row of the cache. The zero value: there is none.
type stored struct {
	present bool
	expired bool // CACHE_TTL has removed it: it is not missed
	hash    schema.Hash
	seq     int64
	agrees  bool // Postgres itself finds it the same as the source's row
}

// view is one row in all three places, at one look.
type view struct {
	id     int64
	source atSource
	entry  checkpoint.Entry // zero: the ledger does not know the row
	stored stored
}

// inLedger tells whether the ledger takes the row to be in the topic. Each entry
// has a seq.
func (v view) inLedger() bool { return v.entry.Seq > 0 && v.entry.State != checkpoint.Deleted }

// difference says what is wrong; ok is false where all agree.
func (v view) difference() (d Difference, wrong bool) {
	d = Difference{ID: v.id, Ledger: v.ledgerFinding(), Cache: v.cacheFinding()}
	d.Dirty = d.Ledger == Different && v.entry.State == checkpoint.Dirty
	return d, d.Ledger != "" || d.Cache != ""
}

func (v view) ledgerFinding() Finding {
	switch {
	case !v.source.present && (v.inLedger() || v.entry.State == checkpoint.Lost):
		return Extra // a lost row's delete is yet to be published, too
	case v.source.present && !v.inLedger():
		return Missing
	case v.source.present && (v.entry.State == checkpoint.Dirty || v.entry.Hash != v.source.hash):
		return Different
	}
	return ""
}

// cacheFinding compares by the hash of the content, which is that of jsonb's own
// text on the cache's side. jsonb keeps one of two members with one name, no
// order, 1e2 as 100, -0.0 as 0.0 and \u00f8 as ø: what differs by hash is
// therefore held against it by Postgres before it counts (agrees).
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
