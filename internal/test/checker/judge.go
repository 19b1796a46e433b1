package checker

import (
	"fmt"
	"maps"
	"slices"

	"odastream/schema"
)

// Rule names what was broken.
type Rule string

// The rules.
const (
	// Lost: a record lies before the offset, and what it says is not there.
	Lost Rule = "lost"
	// Ahead: what a record says is there, and its partition's offset lies before it.
	Ahead Rule = "ahead"
	// Regressed: a seq, or an offset, fell.
	Regressed Rule = "regressed"
	// Doubled: a row is both there and deleted, or a change stands in the history
	// twice.
	Doubled Rule = "doubled"
	// Wrong: the row has another content, or the history another action, than the
	// records give.
	Wrong Rule = "wrong"
)

// Fault is one rule broken at one look.
type Fault struct {
	Rule
	Look int // which of the looks, from 0
	What string
}

// String is one line.
func (f Fault) String() string { return fmt.Sprintf("look %d: %s: %s", f.Look, f.Rule, f.What) }

// most is how many faults are told of one look: they have one cause.
const most = 10

// Judge compares each look with what the records before its own offsets make of
// empty tables, and with the look before it. Looks are in order of time. It stops
// at the first look with faults: later ones would only repeat them.
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

// judge is how far a judgement has come.
type judge struct {
	log    *Log
	read   map[Partition]int // how many of its records lie before the offset
	before Look

	want    map[Key]*row
	history map[Entry]bool
	letters map[Place]bool

	look   int
	faults []Fault
}

// row is what the records make of a key.
type row struct {
	seq  int64
	data string // "": deleted
	// unordered: a record came with a seq that was not above all before it. Whether
	// it is history depends on whether it was in one batch with its elders.
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
		return // nothing below would make sense
	}
	for p, next := range look.Offsets {
		j.advance(p, next)
	}
	j.judgeRows(look)
	j.judgeHistory(look)
	j.judgeLetters(look)
}

// advance takes in the records of p before next.
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

// actionOf is what r's entry in the history says, given what was there; "" if
// it has none.
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

// same says whether two rows have the same content.
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

// is says whether data is the row's content; it is none of a row to be deleted.
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
		if !look.Letters[place] {
			j.fault(Lost, "the broken record at %s is not among the dead letters", place)
		}
	}
	for place := range look.Letters {
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

// String is as keys are written.
func (k Key) String() string { return schema.Key(k.Entity, k.ID) }

// String is topic/partition@offset.
func (p Place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Number, p.Offset) }
