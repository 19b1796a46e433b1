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
	// Doubled: a row both exists and is deleted, or a change is in the history twice.
	Doubled Rule = "doubled"
	// Wrong: the content of a row, or an action in the history, does not match the
	// records.
	Wrong Rule = "wrong"
)

// Fault is one broken rule in one look.
type Fault struct {
	Rule
	Look int // index of the look
	What string
}

// String returns one line.
func (f Fault) String() string { return fmt.Sprintf("look %d: %s: %s", f.Look, f.Rule, f.What) }

// most bounds the faults that are reported of one look, since they have one cause.
const most = 10

// Judge compares each look with the result of applying the records before its offsets to
// empty tables, and with the previous look. Looks are in order of time. Judge stops at
// the first look with faults, since later looks would only repeat them.
func Judge(log *Log, looks []Look) []Fault {
	j := judge{log: log, read: map[Partition]int{}, want: map[Key]*row{}, letters: map[Place]bool{}, history: map[Entry]bool{}}
	for i, look := range looks {
		j.look, j.faults = i, nil
		j.judge(look)
		if len(j.faults) > 0 {
			return j.faults[:min(len(j.faults), most)]
		}
		j.before = look
	}
	return nil
}

// judge is the state of a judgement.
type judge struct {
	log    *Log
	read   map[Partition]int // how many of its records are before the offset
	before Look

	want    map[Key]*row
	history map[Entry]bool
	letters map[Place]bool

	look   int
	faults []Fault
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
	j.faults = append(j.faults, Fault{rule, j.look, fmt.Sprintf(format, args...)})
}

func (j *judge) judge(look Look) {
	for p, was := range j.before.Offsets {
		if look.Offsets[p] < was {
			j.fault(Regressed, "the offset of %s/%d went from %d to %d", p.Topic, p.Number, was, look.Offsets[p])
		}
	}
	if len(j.faults) > 0 {
		return // the other checks would make no sense
	}
	for p, next := range look.Offsets {
		j.advance(p, next)
	}
	j.judgeRows(look)
	j.judgeHistory(look)
	j.judgeLetters(look)
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
		j.letters[r.Place] = true
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

func (j *judge) judgeRows(look Look) {
	for key := range look.Rows {
		if _, also := look.Deleted[key]; also {
			j.fault(Doubled, "%s is there and deleted", key)
		}
	}
	for key, w := range j.want {
		j.judgeRow(key, *w, look)
	}
	for key, seq := range allSeqs(look) {
		if j.want[key] == nil {
			j.fault(Ahead, "%s is there with seq %d, and no record of it lies before the offset", key, seq)
		}
	}
}

func (j *judge) judgeRow(key Key, w row, look Look) {
	got, there := look.Rows[key]
	deleted, gone := look.Deleted[key]
	if there && !gone && got == j.before.Rows[key] && got.Seq == w.seq {
		return // judged before
	}
	seq := max(got.Seq, deleted)
	if was := seqOf(j.before, key); seq < was {
		j.fault(Regressed, "%s went from seq %d to %d", key, was, seq)
	}
	switch {
	case seq < w.seq:
		j.fault(Lost, "%s has seq %d (0: it is not there), a record before the offset has %d", key, seq, w.seq)
	case seq > w.seq:
		j.fault(Ahead, "%s has seq %d, the last record before the offset has %d", key, seq, w.seq)
	case there && !w.is(got.Data):
		j.fault(Wrong, "%s of seq %d is %s, want %q", key, seq, got.Data, w.data)
	case !there && w.data != "":
		j.fault(Wrong, "%s is deleted with seq %d, whose record has it as %s", key, seq, w.data)
	}
}

// is reports whether data is the row's content. A row that must be deleted has none.
func (w row) is(data string) bool { return w.data != "" && same(data, w.data) }

func seqOf(look Look, key Key) int64 { return max(look.Rows[key].Seq, look.Deleted[key]) }

func allSeqs(look Look) map[Key]int64 {
	seqs := maps.Clone(look.Deleted)
	if seqs == nil {
		seqs = map[Key]int64{}
	}
	for key, r := range look.Rows {
		seqs[key] = r.Seq
	}
	return seqs
}

func (j *judge) judgeHistory(look Look) {
	type change struct {
		Key
		seq int64
	}
	seen := map[change]bool{}
	for _, e := range look.History {
		c := change{e.Key, e.Seq}
		w := j.want[e.Key]
		switch {
		case seen[c]:
			j.fault(Doubled, "the history has %s of seq %d twice", e.Key, e.Seq)
		case w == nil || e.Seq > w.seq:
			j.fault(Ahead, "the history has %s of seq %d, and no such record lies before the offset", e.Key, e.Seq)
		case !w.unordered && !j.history[e]:
			j.fault(Wrong, "the history has a %s of %s with seq %d that the records do not give", e.Action, e.Key, e.Seq)
		}
		seen[c] = true
	}
	for e := range j.history {
		if !seen[change{e.Key, e.Seq}] && !j.want[e.Key].unordered {
			j.fault(Lost, "the history lacks the %s of %s with seq %d", e.Action, e.Key, e.Seq)
		}
	}
}

func (j *judge) judgeLetters(look Look) {
	for place := range j.letters {
		if !look.DeadLetters[place] {
			j.fault(Lost, "the broken record at %s is not among the dead letters", place)
		}
	}
	for place := range look.DeadLetters {
		if j.letters[place] {
			continue
		}
		if j.isBroken(place) {
			j.fault(Ahead, "the dead letter of %s is there, and the offset lies before it", place)
			continue
		}
		j.fault(Wrong, "the record at %s is dead-lettered, and nothing is wrong with it", place)
	}
}

func (j *judge) isBroken(place Place) bool {
	return slices.ContainsFunc(j.log.partitions[place.Partition], func(r Record) bool { return r.Place == place && r.Broken })
}

// String returns the key as keys are written.
func (k Key) String() string { return schema.Key(k.Entity, k.ID) }

// String returns topic/partition@offset.
func (p Place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Number, p.Offset) }
