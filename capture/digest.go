package capture

import (
	"context"
	"slices"

	"odastream/checkpoint"
	"odastream/schema"
)

// differing cuts windows, which do not touch and ascend, and rows down to what the
// digests of the windows do not prove to be as the ledger has it: most pages of
// most scans are gone with that, and cost no look at any row of the ledger.
func (w *writer) differing(ctx context.Context, windows []schema.IDRange, rows []latest, unsaved [][]checkpoint.Entry) ([]schema.IDRange, []latest, error) {
	if len(windows) == 0 || !w.loaded.Load() {
		return windows, rows, nil
	}
	known, err := w.store.Digests(ctx, w.entity, windows)
	if err != nil {
		return nil, nil, err
	}
	same := alike(known, digestsOf(windows, rows))
	for entry := range each(unsaved) { // the ledger does not know of it yet
		if i := windowOf(windows, entry.ID); i >= 0 {
			same[i] = false
		}
	}
	rows = slices.DeleteFunc(rows, func(r latest) bool {
		i := windowOf(windows, r.ID)
		return r.scanned && i >= 0 && same[i]
	})
	var differing []schema.IDRange
	for i, window := range windows {
		if !same[i] {
			differing = append(differing, window)
		}
	}
	return differing, rows, nil
}

// digestsOf sums up the rows that a scan saw inside each of the windows. A row that
// only the tail saw is none of them: it may be gone since.
func digestsOf(windows []schema.IDRange, rows []latest) []checkpoint.Digest {
	digests := make([]checkpoint.Digest, len(windows))
	for _, r := range rows {
		if i := windowOf(windows, r.ID); i >= 0 && r.scanned {
			digests[i].Add(r.spelling)
		}
	}
	return digests
}

func alike(a, b []checkpoint.Digest) []bool {
	same := make([]bool, len(a))
	for i := range a {
		same[i] = a[i] == b[i]
	}
	return same
}

// windowOf is the place of the window that holds id; -1: none does.
func windowOf(windows []schema.IDRange, id int64) int {
	i, _ := slices.BinarySearchFunc(windows, id, func(w schema.IDRange, id int64) int {
		if w.High < id {
			return -1
		}
		return 1
	})
	if i < len(windows) && windows[i].Low < id {
		return i
	}
	return -1
}
