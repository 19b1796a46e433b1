package checker

import (
	"cmp"
	"slices"
)

// Key names a row.
type Key struct {
	Entity string
	ID     int64
}

// Partition names one partition of one topic.
type Partition struct {
	Topic  string
	Number int32
}

// Place is the position of a record.
type Place struct {
	Partition
	Offset int64
}

// Record is what Judge needs of one record on a topic.
type Record struct {
	Place
	Key
	Seq  int64
	Data string // the row as JSON; "": the record takes the row away
	// Create marks a row that appeared at the source after the first load. It is in the
	// history although there was no row before.
	Create bool
	// Broken: no database can hold it, so it must be in dead_letters.
	Broken bool
}

// Log is every record of every topic. The zero value stands for topics without records.
type Log struct {
	partitions map[Partition][]Record // by offset
}

// NewLog returns the records by partition.
func NewLog(records []Record) *Log {
	l := &Log{partitions: map[Partition][]Record{}}
	for _, r := range records {
		l.partitions[r.Partition] = append(l.partitions[r.Partition], r)
	}
	for _, rs := range l.partitions {
		slices.SortFunc(rs, func(a, b Record) int { return cmp.Compare(a.Offset, b.Offset) })
	}
	return l
}

// Applied reports whether snapshot is at the end of each partition.
func (l *Log) Applied(snapshot Snapshot) bool {
	for p, rs := range l.partitions {
		if snapshot.Offsets[p] <= rs[len(rs)-1].Offset {
			return false
		}
	}
	return true
}
