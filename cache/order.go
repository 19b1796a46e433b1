package cache

import (
	"cmp"
	"slices"

	"odastream/schema"
)

// entry is a record of a batch in the order in which it is written.
type entry struct {
	*Record
	last  bool  // no other record of the batch for this key is newer
	again bool  // an earlier record of the batch has this key and seq
	since int64 // seq of the batch's first record since the key was last removed
}

// ordered returns the records sorted by key and seq, the newest of each key
// marked. Every writer locks rows in the order of their keys, so two writers cannot
// deadlock. Of equal seqs the first counts, as it does across batches.
func ordered(records []Record) []entry {
	entries := make([]entry, len(records))
	for i := range records {
		entries[i].Record = &records[i]
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(compareKeys(a, b), cmp.Compare(a.Change.Seq, b.Change.Seq))
	})
	for i := len(entries) - 1; i >= 0; {
		newest := i
		for ; i >= 0 && compareKeys(entries[i], entries[newest]) == 0; i-- {
			if entries[i].Change.Seq == entries[newest].Change.Seq {
				newest = i
			}
		}
		entries[newest].last = true
	}
	for i := range entries {
		entries[i].since = entries[i].Change.Seq
		if i == 0 || compareKeys(entries[i-1], entries[i]) != 0 {
			continue
		}
		entries[i].again = entries[i-1].Change.Seq == entries[i].Change.Seq
		if !entries[i-1].removes() || entries[i].again {
			entries[i].since = entries[i-1].since
		}
	}
	return entries
}

// onlySnapshots says whether every record of the batch is the only snapshot of its key:
// then none writes history unless the cache has the key already.
func onlySnapshots(entries []entry) bool {
	for i, e := range entries {
		if e.Change.Action != schema.Snapshot || i > 0 && !e.again && compareKeys(entries[i-1], e) == 0 {
			return false
		}
	}
	return true
}

func compareKeys(a, b entry) int {
	return cmp.Or(cmp.Compare(a.Change.Entity, b.Change.Entity), cmp.Compare(a.Change.ID, b.Change.ID))
}

// entitiesOf returns the entities of the entries, and those of them that have a
// row to delete, each once and sorted.
func entitiesOf(entries []entry) (all, deleting []string) {
	for _, e := range entries {
		if name := e.Change.Entity; len(all) == 0 || all[len(all)-1] != name {
			all = append(all, name)
		}
		if name := e.Change.Entity; e.last && e.removes() && (len(deleting) == 0 || deleting[len(deleting)-1] != name) {
			deleting = append(deleting, name)
		}
	}
	return all, deleting
}
