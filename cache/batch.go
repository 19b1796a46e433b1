package cache

import (
	"time"

	"odastream/schema"
)

// Record is one record of a topic, decoded.
type Record struct {
	schema.TopicPartition
	Offset int64 // in its partition, from 0
	Change schema.Change
	// Tombstone says that the record had no value: Change then has only Entity,
	// ID and Seq, and removes the row as a delete does.
	Tombstone bool
}

// removes says whether the record's key is gone after it.
func (r *Record) removes() bool { return r.Tombstone || r.Change.Action == schema.Delete }

// DeadLetter says that a record could not be applied. It is stored with the
// batch it was found in; before that the record itself is written to Kafka.
type DeadLetter struct {
	schema.TopicPartition
	Offset   int64
	Key      string // the record's key; what Postgres cannot store of it is replaced
	Class    string // decode, schema, data or too_large
	SQLState string // "" if Postgres had no part in it
	Error    string
	FailedAt time.Time
	Seq      int64 // of the record's change; 0 if it is unknown
}

// Batch is what one transaction applies.
type Batch struct {
	// Records may hold a key many times and in any order of seq.
	Records     []Record
	DeadLetters []DeadLetter
	// Moves has at most one entry a partition. Without moves the batch changes no
	// offset: so records are applied again.
	Moves []Move
}

// Result counts the records of a batch by what they did; the sum is their number.
type Result struct {
	Inserted   int // rows that were not there
	Updated    int // rows with new content
	Deleted    int // rows deleted, and deletes stored of unknown rows
	Unchanged  int // newer changes with equal content: only the seq was raised
	Stale      int // changes no newer than what the cache holds
	Superseded int // changes no newer than another one of the same batch
}
