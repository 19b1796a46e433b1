package checker

import (
	"fmt"
	"maps"
	"slices"

	"odastream/schema"
)

// Rule names a rule that was broken.
type Rule string

// The rules.
const (
	// Lost: a record is before the offset, but its effect is missing.
	Lost Rule = "lost"
	// Ahead: a record's effect exists, but its partition's offset is before it.
	Ahead Rule = "ahead"
	// Regressed: a seq or an offset decreased.
	Regressed Rule = "regressed"
	// Duplicated: a row both exists and is deleted, or a change is in the history twice.
	Duplicated Rule = "doubled"
	// Wrong: the content of a row, or an action in the history, does not match the
	// records.
	Wrong Rule = "wrong"
)

// Fault is one broken rule in one snapshot.
type Fault struct {
	Rule
	Snapshot int // index of the snapshot
	What     string
}

// String returns one line.
func (f Fault) String() string { return fmt.Sprintf("snapshot %d: %s: %s", f.Snapshot, f.Rule, f.What) }

// maxFaults bounds the faults that are reported of one snapshot, since they have one cause.
const maxFaults = 10

// Judge compares each snapshot with the result of applying the records before its offsets to
// empty tables, and with the previous snapshot. Snapshots are in order of time. Judge stops at
// the first snapshot with faults, since later snapshots would only repeat them.
func Judge(log *Log, snapshots []Snapshot) []Fault {
	j := judge{log: log, read: map[Partition]int{}, want: map[Key]*row{}, deadLetters: map[Place]bool{}, history: map[Entry]bool{}}
	for i, snapshot := range snapshots {
		j.snapshot, j.faults = i, nil
		j.judge(snapshot)
		if len(j.faults) > 0 {
			return j.faults[:min(len(j.faults), maxFaults)]
		}
		j.before = snapshot
	}
	return nil
}

// judge is the state of a judgement.
type judge struct {
	log    *Log
	read   map[Partition]int // how many of its records are before the offset
	before Snapshot

	want        map[Key]*row
	history     map[Entry]bool
	deadLetters map[Place]bool

	snapshot int
	faults   []Fault
}

// row is the result of the records of a key.
type row struct {
	seq  int64
	data string // "": deleted
	// unordered: a record had a seq that was not above all earlier ones. Whether it is in
	// the history depends on whether it was in one batch with the earlier records.
	unordered bool
}

func (j *judge) fault(rule Rule, format string, args ...any) {
	j.faults = append(j.faults, Fault{rule, j.snapshot, fmt.Sprintf(format, args...)})
}

func (j *judge) judge(snapshot Snapshot) {
	for p, was := range j.before.Offsets {
		if snapshot.Offsets[p] < was {
			j.fault(Regressed, "the offset of %s/%d went from %d to %d", p.Topic, p.Number, was, snapshot.Offsets[p])
		}
	}
	if len(j.faults) > 0 {
		return // the other checks would make no sense
	}
	for p, next := range snapshot.Offsets {
		j.advance(p, next)
	}
	j.judgeRows(snapshot)
	j.judgeHistory(snapshot)
	j.judgeDeadLetters(snapshot)
}

// advance applies the records of p before next.
func (j *judge) advance(p Partition, next int64) {
	records := j.log.partitions[p]
	for j.read[p] < len(records) && records[j.read[p]].Offset < next {
		j.take(records[j.read[p]])
		j.read[p]++
	}
}

func (j *judge) take(r Record) {
	if r.Broken {
		j.deadLetters[r.Place] = true
		return
	}
	w := j.want[r.Key]
	if w == nil {
		w = &row{}
		j.want[r.Key] = w
	}
	if r.Seq <= w.seq {
		w.unordered = w.unordered || r.Seq < w.seq
		return
	}
	if action := actionOf(*w, r); action != "" {
		j.history[Entry{r.Key, r.Seq, action}] = true
	}
	w.seq, w.data = r.Seq, r.Data
}

// actionOf returns the action of r's entry in the history, given the previous row; "" if
// there must be no entry.
func actionOf(was row, r Record) string {
	switch {
	case r.Data == "" && was.data == "":
		return ""
	case r.Data == "":
		return string(schema.Delete)
	case was.data == "" && (was.seq > 0 || r.Create):
		return string(schema.Create)
	case was.data == "" || same(was.data, r.Data):
		return ""
	default:
		return string(schema.Update)
	}
}

// same reports whether two rows have the same content.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := schema.ContentHash([]byte(a))
	y, errY := schema.ContentHash([]byte(b))
	return errX == nil && errY == nil && x == y
}

func (j *judge) judgeRows(snapshot Snapshot) {
	for key := range snapshot.Rows {
		if _, also := snapshot.Deleted[key]; also {
			j.fault(Duplicated, "%s both exists and is deleted", key)
		}
	}
	for key, w := range j.want {
		j.judgeRow(key, *w, snapshot)
	}
	for key, seq := range allSeqs(snapshot) {
		if j.want[key] == nil {
			j.fault(Ahead, "%s exists with seq %d, and no record of it is below the offset", key, seq)
		}
	}
}

func (j *judge) judgeRow(key Key, w row, snapshot Snapshot) {
	got, there := snapshot.Rows[key]
	deleted, gone := snapshot.Deleted[key]
	if there && !gone && got == j.before.Rows[key] && got.Seq == w.seq {
		return // judged before
	}
	seq := max(got.Seq, deleted)
	if was := seqOf(j.before, key); seq < was {
		j.fault(Regressed, "%s went from seq %d to %d", key, was, seq)
	}
	switch {
	case seq < w.seq:
		j.fault(Lost, "%s has seq %d (0: it does not exist), a record below the offset has %d", key, seq, w.seq)
	case seq > w.seq:
		j.fault(Ahead, "%s has seq %d, the last record below the offset has %d", key, seq, w.seq)
	case there && !w.is(got.Data):
		j.fault(Wrong, "%s of seq %d is %s, want %q", key, seq, got.Data, w.data)
	case !there && w.data != "":
		j.fault(Wrong, "%s is deleted with seq %d, but its record says %s", key, seq, w.data)
	}
}

// is reports whether data is the row's content. A row that must be deleted has none.
func (w row) is(data string) bool { return w.data != "" && same(data, w.data) }

func seqOf(snapshot Snapshot, key Key) int64 {
	return max(snapshot.Rows[key].Seq, snapshot.Deleted[key])
}

func allSeqs(snapshot Snapshot) map[Key]int64 {
	seqs := maps.Clone(snapshot.Deleted)
	if seqs == nil {
		seqs = map[Key]int64{}
	}
	for key, r := range snapshot.Rows {
		seqs[key] = r.Seq
	}
	return seqs
}

func (j *judge) judgeHistory(snapshot Snapshot) {
	type change struct {
		Key
		seq int64
	}
	seen := map[change]bool{}
	for _, e := range snapshot.History {
		c := change{e.Key, e.Seq}
		w := j.want[e.Key]
		switch {
		case seen[c]:
			j.fault(Duplicated, "the history has %s of seq %d twice", e.Key, e.Seq)
		case w == nil || e.Seq > w.seq:
			j.fault(Ahead, "the history has %s of seq %d, and no such record is below the offset", e.Key, e.Seq)
		case !w.unordered && !j.history[e]:
			j.fault(Wrong, "the history has a %s of %s with seq %d that follows from no record", e.Action, e.Key, e.Seq)
		}
		seen[c] = true
	}
	for e := range j.history {
		if !seen[change{e.Key, e.Seq}] && !j.want[e.Key].unordered {
			j.fault(Lost, "the history lacks the %s of %s with seq %d", e.Action, e.Key, e.Seq)
		}
	}
}

func (j *judge) judgeDeadLetters(snapshot Snapshot) {
	for place := range j.deadLetters {
		if !snapshot.DeadLetters[place] {
			j.fault(Lost, "the broken record at %s is not among the dead letters", place)
		}
	}
	for place := range snapshot.DeadLetters {
		if j.deadLetters[place] {
			continue
		}
		if j.isBroken(place) {
			j.fault(Ahead, "the dead letter of %s exists, and the offset is below it", place)
			continue
		}
		j.fault(Wrong, "the good record at %s is dead-lettered", place)
	}
}

func (j *judge) isBroken(place Place) bool {
	return slices.ContainsFunc(j.log.partitions[place.Partition], func(r Record) bool { return r.Place == place && r.Broken })
}

// String returns the key as keys are written.
func (k Key) String() string { return schema.Key(k.Entity, k.ID) }

// String returns topic/partition@offset.
func (p Place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Number, p.Offset) }
