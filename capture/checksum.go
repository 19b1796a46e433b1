package capture

import (
	"slices"

	"odastream/checkpoint"
	"odastream/schema"
)

// rangeChecksums returns the checksum of the rows that a scan read in each of the
// ranges. A row that only the tail read does not count: it may be deleted since.
func rangeChecksums(ranges []schema.IDRange, rows []rowVersion) []checkpoint.RangeChecksum {
	checksums := make([]checkpoint.RangeChecksum, len(ranges))
	for _, r := range rows {
		if i := indexOf(ranges, r.ID); i >= 0 && r.scanned {
			checksums[i].Add(r.checksum)
		}
	}
	return checksums
}

func equalChecksums(a, b []checkpoint.RangeChecksum) []bool {
	equal := make([]bool, len(a))
	for i := range a {
		equal[i] = a[i] == b[i]
	}
	return equal
}

// indexOf returns the index of the range that contains id, -1 if none does. The
// ranges ascend.
func indexOf(ranges []schema.IDRange, id int64) int {
	i, _ := slices.BinarySearchFunc(ranges, id, func(r schema.IDRange, id int64) int {
		if r.High < id {
			return -1
		}
		return 1
	})
	if i < len(ranges) && ranges[i].Contains(id) {
		return i
	}
	return -1
}
