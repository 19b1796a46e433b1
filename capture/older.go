package capture

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

// maxRereads is how often a row with an older stamp is read again before it is
// published.
const maxRereads = 3

// isOlder reports whether a row may be an older version than the one of its entry: it
// has an older stamp, or the newest version known is a delete. Danish times are compared
// as texts: that errs in the hour that the clock shows twice, where it costs a read. A
// row that is at the last of its rereads is taken as it is.
//
// Two versions with the same stamp, and one that a correction stamped back, cannot be
// told apart: there the older version is published, and soon the newer one again.
func isOlder(entry checkpoint.Entry, r rowVersion) bool {
	return !r.lastReread && (isDeleted(entry) || r.Opdateringsdato < entry.Stamp)
}

// isDeleted reports whether the newest version known of a row is a delete. A Dirty row
// without a stamp may be one: an older record made it Dirty.
func isDeleted(entry checkpoint.Entry) bool {
	return entry.State == checkpoint.Deleted || entry.State == checkpoint.Dirty && entry.Stamp == ""
}

// rereader reads rows again that may be older than the versions that the ledger has. One
// node of several at the source may lag behind the others; but a correction may also set
// a stamp back, and a deleted row may come back.
type rereader struct {
	reader   *reader
	recent   *recent
	comparer *comparer
	delay    time.Duration // before the first reread
	log      *slog.Logger
}

// reread reads the rows again and compares what it reads. A row that is older each time
// is a change; of the others the newer version is compared. Nothing of their batch is
// saved before: if the process ends, the next one reads the rows and finds them older.
func (r *rereader) reread(ctx context.Context, older []rowVersion) (result, error) {
	var all result
	if len(older) == 0 {
		return all, nil
	}
	r.log.Warn("reading rows again that have older stamps than before, or were deleted", "rows", len(older))
	if err := wait(ctx, r.delay); err != nil {
		return all, err
	}
	for n := 1; n <= maxRereads && len(older) > 0; n++ {
		var left []rowVersion
		for _, group := range groupByPage(older) {
			res, err := r.rereadGroup(ctx, group, n == maxRereads)
			if err != nil {
				return all, err
			}
			left = append(left, res.older...)
			all.add(res)
		}
		older = left
	}
	return all, nil
}

// rereadGroup reads the ids from the first row of a group to its last again, and
// compares the rows of the group that are still at the source. A row of a scan, or of its
// recheck, that is not has vanished: the scan is complete only when that is rechecked. An
// empty answer is not confirmed: a node that lags would bring back a deleted row.
func (r *rereader) rereadGroup(ctx context.Context, group []rowVersion, last bool) (result, error) {
	var all result
	missing := slices.Clone(group)
	asked := oda.Window{IDs: schema.IDRange{Low: schema.OneID(group[0].ID).Low, High: group[len(group)-1].ID}}
	for more := true; more; {
		p, err := r.reader.read(ctx, asked, oda.Tail, schema.OriginScan)
		if err != nil {
			return all, err
		}
		missing = slices.DeleteFunc(missing, func(v rowVersion) bool { return p.has(v.ID) || p.rejected(v.ID) })
		res, err := r.compareAgain(ctx, p, group, last)
		if err != nil {
			return all, err
		}
		all.add(res)
		all.older = append(all.older, res.older...)
		more, asked.IDs.Low = p.more, p.last
	}
	r.comparer.addVanished(missing, &all)
	return all, nil
}

// compareAgain compares the rows of a group that are on a page with what the ledger has
// of them, and ends the page's request. Of a row's versions the one with the newest stamp
// is compared.
func (r *rereader) compareAgain(ctx context.Context, p page, group []rowVersion, last bool) (result, error) {
	defer r.reader.discard(p)
	p.rows = slices.DeleteFunc(p.rows, func(row row) bool { return indexOfRow(group, row.ID) < 0 })
	rows, _ := r.recent.newest([]page{p})
	for i, again := range rows {
		rows[i] = group[indexOfRow(group, again.ID)]
		if again.Opdateringsdato >= rows[i].Opdateringsdato {
			rows[i].row = again.row
		}
		rows[i].lastReread = last
	}
	return r.comparer.compare(ctx, batch{pages: []page{p}}, rows)
}

// groupByPage groups rows whose ids are so near that a full page holds them.
func groupByPage(rows []rowVersion) (groups [][]rowVersion) {
	rows = slices.SortedFunc(slices.Values(rows), func(a, b rowVersion) int { return cmp.Compare(a.ID, b.ID) })
	first := 0
	for i := range rows {
		// The difference of two ids may overflow an int64.
		if uint64(rows[i].ID)-uint64(rows[first].ID) >= schema.PageSize {
			groups = append(groups, rows[first:i])
			first = i
		}
	}
	return append(groups, rows[first:])
}

func indexOfRow(rows []rowVersion, id int64) int {
	return slices.IndexFunc(rows, func(r rowVersion) bool { return r.ID == id })
}
