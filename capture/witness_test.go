package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"odastream/checkpoint"
	"odastream/schema"
)

// version is a row as it was at the source from a moment on.
type version struct {
	data   []byte // nil: the source did not have the row
	since  time.Time
	prompt bool // stamped when it was written: the watermark must not pass it unpublished
}

// witness records the versions of the source's rows and all that the test did to the
// topic, and judges the topic by them.
type witness struct {
	w      *world
	entity string

	mu      sync.Mutex
	rows    map[int64][]version
	first   map[int64]int   // the first version of a row that the current topic may have
	forged  map[string]bool // records that no holder of the lease wrote, by forgery
	doubted map[int64]bool  // rows with such a record
	earlier map[int64]bool  // rows of earlier topics: the current one may have their deletes
	owed    map[int64]bool  // those of them that the ledger has: the current topic must have their deletes
	shaken  bool            // the source's clock went back
	blind   bool            // the source answered with empty pages: a tail's pass may have missed a row
	filled  bool            // the topic has what the ledger says
}

func newWitness(w *world, entity string) *witness {
	return &witness{
		w: w, entity: entity, rows: map[int64][]version{}, first: map[int64]int{},
		forged: map[string]bool{}, doubted: map[int64]bool{}, earlier: map[int64]bool{},
	}
}

// alter changes the source and records its rows. prompt means that do stamps what it
// writes with the time of writing.
func (s *witness) alter(prompt bool, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look(false)
	do()
	s.look(prompt && !s.shaken)
}

// look records what has changed at the source.
func (s *witness) look(prompt bool) {
	here := map[int64]bool{}
	for _, data := range s.w.sim.Rows(s.entity) {
		id := rowID(s.w.t, data)
		here[id] = true
		s.note(id, version{slices.Clone(data), s.w.sim.Now(), prompt})
	}
	for id := range s.rows {
		if !here[id] {
			s.note(id, version{nil, s.w.sim.Now(), false})
		}
	}
}

func (s *witness) note(id int64, v version) {
	list := s.rows[id]
	if len(list) == 0 {
		list = []version{{}}
	}
	switch last := &list[len(list)-1]; {
	case !s.same(last.data, v.data):
		list = append(list, v)
	case !bytes.Equal(last.data, v.data): // another stamp, or none: the old stamp may not find the row any more
		last.prompt = false
	}
	s.rows[id] = list
}

// same compares content: without the stamp, and nil with nil.
func (s *witness) same(a, b []byte) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return string(content(a)) == string(content(b))
}

// content returns a row without its stamp, by encoding/json and not by package schema.
func content(data []byte) []byte {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &members); err != nil {
		return data
	}
	delete(members, "opdateringsdato")
	plain, err := json.Marshal(members)
	if err != nil {
		return data
	}
	return plain
}

func forgery(c schema.Change) string { return c.EventID() + string(c.Data) }

// forge records that a poller without a lease wrote a record.
func (s *witness) forge(c schema.Change) { s.forgeAll([]schema.Change{c}) }

func (s *witness) forgeAll(changes []schema.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		s.forged[forgery(c)], s.doubted[c.ID] = true, true
	}
}

// anew records that the topic, which has the held changes and whose rows the ledger
// has, is about to be empty: from then on it may have no older version of a row.
func (s *witness) anew(held []schema.Change, ledger []int64) {
	for id, list := range s.rows {
		s.first[id] = len(list) - 1
	}
	s.filled = false
	s.owed = map[int64]bool{}
	for _, c := range held {
		s.earlier[c.ID] = true
	}
	for _, id := range ledger {
		s.earlier[id], s.owed[id] = true, true
	}
}

// hide records that a record which sinks refuse was written with the key of a row.
func (s *witness) hide(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubted[id] = true
}

// forget records that the ledger was lost.
func (s *witness) forget() { s.owed = nil }

// judge returns what is wrong with the topic and the checkpoint.
func (s *witness) judge(at checkpoint.Checkpoint) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look(false)
	byKey := map[int64][]record{}
	for _, r := range s.w.records() {
		byKey[r.ID] = append(byKey[r.ID], r)
	}
	var faults []string
	for id, list := range byKey {
		faults = append(faults, s.judgeKey(s.rows[id], s.first[id], list)...)
	}
	if s.filled && !at.LoadedAt.IsZero() {
		faults = append(faults, s.judgeProgress(at, byKey)...)
	}
	return faults
}

// judgeKey compares a row's records with its versions at the source: each record has
// one of them, in their order, none twice, with growing seq.
func (s *witness) judgeKey(versions []version, at int, list []record) (faults []string) {
	fail := func(c schema.Change, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s %s seq %d %s: ", c.Key(), c.Action, c.Seq, c.Data)+fmt.Sprintf(format, args...))
	}
	var before *schema.Change // the record before, if a holder of the lease wrote it
	highest, known := int64(0), true
	for i := range list {
		c := &list[i].Change
		if list[i].refused || s.forged[forgery(*c)] {
			before, known = nil, false
			continue
		}
		if c.Seq <= highest {
			fail(*c, "seq is not above %d", highest)
		}
		highest = c.Seq
		switch to := s.find(versions, at, c.Data); {
		case to < 0 && c.Action == schema.Delete && (!known || len(versions) == 0 && s.doubted[c.ID]): // of what somebody else wrote
		case to < 0:
			fail(*c, "the source was never so since it was version %d of %d", at, len(versions))
		default:
			at = to
		}
		if known {
			if why := s.follows(before, *c); why != "" {
				fail(*c, "%s", why)
			}
		}
		before, known = c, true
	}
	return faults
}

// find returns the first version from at on with this content, -1 if there is none.
func (s *witness) find(versions []version, at int, data []byte) int {
	for i := at; i < len(versions); i++ {
		if s.same(versions[i].data, data) {
			return i
		}
	}
	return -1
}

// follows returns what is wrong with c after the record before, which is nil if there is none.
func (s *witness) follows(before *schema.Change, c schema.Change) string {
	there := before != nil && before.Action != schema.Delete
	switch {
	case there && s.same(before.Data, c.Data) && c.Action != schema.Delete:
		return "the same content as in the record before"
	case c.Action == schema.Delete && before == nil && s.earlier[c.ID]:
	case c.Action == schema.Delete && !there:
		return "a delete of what is not on the topic"
	case c.Action == schema.Update && !there:
		return "an update of what is not on the topic"
	case (c.Action == schema.Create || c.Action == schema.Snapshot) && there:
		return "the row is on the topic already"
	case c.Action == schema.Update:
		if want := differing(before.Data, c.Data); !slices.Equal(c.Changed, want) {
			return fmt.Sprintf("changed is %q, want %q", c.Changed, want)
		}
	}
	return ""
}

// differing returns the names of the members of b that differ from a, in b's order. It
// returns nil if a has a member that b lacks.
func differing(a, b []byte) (names []string) {
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if json.Unmarshal(a, &was) != nil || json.Unmarshal(b, &is) != nil {
		return nil
	}
	for name := range was {
		if _, still := is[name]; !still {
			return nil
		}
	}
	for _, name := range memberNames(b) {
		if name != "opdateringsdato" && string(was[name]) != string(is[name]) {
			names = append(names, name)
		}
	}
	return names
}

// judgeProgress checks that the watermark and consistent_through have passed nothing
// that is not published.
func (s *witness) judgeProgress(at checkpoint.Checkpoint, byKey map[int64][]record) (faults []string) {
	if s.shaken {
		return nil // the source's times have no order any more
	}
	const rounding = 10 * time.Millisecond // of a stamp, up or down
	for id, versions := range s.rows {
		v := versions[len(versions)-1]
		if s.doubted[id] || s.same(v.data, topicHas(byKey[id])) {
			continue
		}
		if v.prompt && !s.blind && !at.Watermark.Before(v.since.Add(rounding)) {
			faults = append(faults, fmt.Sprintf("watermark %s has passed %s of %s, which is not published", at.Watermark, v.data, v.since))
		}
		if at.ConsistentThrough.After(v.since) {
			faults = append(faults, fmt.Sprintf("consistent through %s, but %d is %q since %s, which is not published", at.ConsistentThrough, id, v.data, v.since))
		}
	}
	return faults
}

// topicHas returns the row that a consumer has at the end of the topic, nil if none.
func topicHas(list []record) []byte {
	var newest schema.Change
	for _, r := range list {
		if !r.refused && r.Seq > newest.Seq {
			newest = r.Change
		}
	}
	return newest.Data
}

// judgeEnd is judge at the end: the topic equals the source, whether it is read in its
// order, compacted, or by seq.
func (s *witness) judgeEnd(at checkpoint.Checkpoint) []string {
	faults := s.judge(at)
	inOrder, bySeq, seqs := map[int64][]byte{}, map[int64][]byte{}, map[int64]int64{}
	for _, r := range s.w.records() {
		c := r.Change
		if _, told := inOrder[c.ID]; r.refused {
			if told {
				inOrder[c.ID] = []byte("hidden by a record that sinks refuse")
			}
			continue
		}
		inOrder[c.ID] = c.Data
		if c.Seq >= seqs[c.ID] {
			seqs[c.ID], bySeq[c.ID] = c.Seq, c.Data
		}
	}
	tombstones := s.w.tombstones()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, versions := range s.rows {
		is := versions[len(versions)-1].data
		if !s.same(is, inOrder[id]) {
			faults = append(faults, fmt.Sprintf("%d is %q at the end of the topic, %q at the source", id, inOrder[id], is))
		}
		if !s.same(is, bySeq[id]) {
			faults = append(faults, fmt.Sprintf("%d is %q by its highest seq, %q at the source", id, bySeq[id], is))
		}
		// A tombstone tells of a delete whose own record was cut off.
		if _, told := inOrder[id]; s.owed[id] && !told && !tombstones[id] {
			faults = append(faults, fmt.Sprintf("%d was on the topic that is gone, and this one says nothing of it", id))
		}
	}
	return faults
}

// memberNames returns the names of a row's members in their order.
func memberNames(row []byte) (names []string) {
	dec := json.NewDecoder(bytes.NewReader(row))
	if _, err := dec.Token(); err != nil {
		return nil
	}
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return names
		}
		names = append(names, fmt.Sprint(name))
	}
	return names
}

// member returns a row's member as it is written, "" if there is none.
func member(row []byte, name string) string {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(row, &members); err != nil {
		return ""
	}
	return string(members[name])
}

func idOf(t testing.TB, row []byte) int64 {
	t.Helper()
	id, err := strconv.ParseInt(member(row, "id"), 10, 64)
	if err != nil {
		t.Fatalf("row %s: %v", row, err)
	}
	return id
}
