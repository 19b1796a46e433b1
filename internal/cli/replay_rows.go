package cli

import (
	"fmt"
	"strconv"
	"strings"

	"odastream/schema"
	"odastream/stream"
)

// rowRange selects rows of an entity by id, both ends included.
type rowRange struct {
	first, last int64
	all         bool
}

// rows is what --key and --ids select.
func (f *replaying) rows() (rowRange, error) {
	switch {
	case f.id != "" && f.ids != "":
		return rowRange{}, fmt.Errorf("%w: --key or --ids, not both", errUsage)
	case f.id != "":
		text := f.id
		if entity, id, ok := splitRow(text); ok && entity == f.entity {
			text = id // as keys are written: Sag:98765
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return rowRange{}, fmt.Errorf("%w: --key is %q, want the id of a row of %s", errUsage, f.id, f.entity)
		}
		return rowRange{first: id, last: id}, nil
	case f.ids != "":
		left, right, _ := strings.Cut(f.ids, "..")
		first, err := strconv.ParseInt(left, 10, 64)
		last, err2 := strconv.ParseInt(right, 10, 64)
		if err != nil || err2 != nil || last < first {
			return rowRange{}, fmt.Errorf("%w: --ids is %q, want FIRST..LAST such as 100..200", errUsage, f.ids)
		}
		return rowRange{first: first, last: last}, nil
	}
	return rowRange{all: true}, nil
}

func (r rowRange) has(id int64) bool { return r.all || r.first <= id && id <= r.last }

// partition is the only one that holds the rows; -1: several do.
func (r rowRange) partition(entity string, partitions int) int {
	if r.all || r.first != r.last {
		return -1
	}
	return int(stream.PartitionOf(schema.Key(entity, r.first), partitions))
}

// String names the rows for a person.
func (r rowRange) String() string {
	switch {
	case r.all:
		return "all rows"
	case r.first == r.last:
		return fmt.Sprintf("row %d", r.first)
	default:
		return fmt.Sprintf("rows %d to %d", r.first, r.last)
	}
}
