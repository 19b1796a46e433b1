package checker_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/checker"
)

var (
	sag   = checker.Partition{Topic: "t-sag"}
	other = checker.Partition{Topic: "t-sag", Number: 1}
	one   = checker.Key{Entity: "Sag", ID: 1}
	two   = checker.Key{Entity: "Sag", ID: 2}
	three = checker.Key{Entity: "Sag", ID: 3}
)

func at(p checker.Partition, offset int64) checker.Place {
	return checker.Place{Partition: p, Offset: offset}
}

// topics hold a row that is created, changed, deleted and created again; a late one; one
// that no database can hold; and one in another partition.
func topics() *checker.Log {
	return checker.NewLog([]checker.Record{
		{Place: at(sag, 0), Key: one, Seq: 10, Data: `{"v":1}`, Create: true},
		{Place: at(sag, 1), Key: one, Seq: 11, Data: `{"v":2}`},
		{Place: at(sag, 2), Key: one, Seq: 12},
		{Place: at(sag, 3), Key: one, Seq: 12}, // its tombstone
		{Place: at(sag, 4), Key: three, Seq: 13, Broken: true},
		{Place: at(sag, 5), Key: one, Seq: 14, Data: `{"v":1}`},
		{Place: at(sag, 6), Key: one, Seq: 9, Data: `{"v":0}`}, // of a zombie
		{Place: at(other, 0), Key: two, Seq: 20, Data: `{"v":1}`},
		{Place: at(other, 1), Key: two, Seq: 21, Data: `{"v":2}`},
	})
}

// correctSnapshots are snapshots of the tables of a sink that works correctly.
func correctSnapshots() []checker.Snapshot {
	created := checker.Entry{Key: one, Seq: 10, Action: "create"}
	updated := checker.Entry{Key: one, Seq: 11, Action: "update"}
	deleted := checker.Entry{Key: one, Seq: 12, Action: "delete"}
	again := checker.Entry{Key: one, Seq: 14, Action: "create"}
	late := checker.Entry{Key: two, Seq: 21, Action: "update"}
	return []checker.Snapshot{
		{},
		{
			Offsets: map[checker.Partition]int64{sag: 2},
			Rows:    map[checker.Key]checker.Row{one: {Seq: 11, Data: `{"v": 2}`}},
			History: []checker.Entry{created, updated},
		},
		{
			Offsets:     map[checker.Partition]int64{sag: 5, other: 1},
			Rows:        map[checker.Key]checker.Row{two: {Seq: 20, Data: `{"v": 1}`}},
			Deleted:     map[checker.Key]int64{one: 12},
			History:     []checker.Entry{created, updated, deleted},
			DeadLetters: map[checker.Place]bool{at(sag, 4): true},
		},
		{
			Offsets:     map[checker.Partition]int64{sag: 7, other: 2},
			Rows:        map[checker.Key]checker.Row{one: {Seq: 14, Data: `{"v": 1}`}, two: {Seq: 21, Data: `{"v": 2}`}},
			History:     []checker.Entry{created, updated, deleted, again, late},
			DeadLetters: map[checker.Place]bool{at(sag, 4): true},
		},
	}
}

func TestACorrectSinkHasNoFaults(t *testing.T) {
	t.Parallel()
	if faults := checker.Judge(topics(), correctSnapshots()); len(faults) > 0 {
		t.Errorf("Judge(snapshots of a correct sink) = %v, want none", faults)
	}
	if snapshots := correctSnapshots(); topics().Applied(snapshots[2]) || !topics().Applied(snapshots[3]) {
		t.Error("Applied is the same for the last snapshot and the one before")
	}
}

func TestEachFaultIsFound(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		spoil func(snapshots []checker.Snapshot)
		want  []checker.Rule
	}{
		"an offset that moved without its row": {func(snapshots []checker.Snapshot) {
			snapshots[1].Offsets[other] = 1
		}, []checker.Rule{checker.Lost}},
		"an offset that moved without the last version of its row": {func(snapshots []checker.Snapshot) {
			snapshots[2].Offsets[other] = 2
		}, []checker.Rule{checker.Lost, checker.Lost}}, // and its history
		"a delete that was not applied": {func(snapshots []checker.Snapshot) {
			snapshots[2].Rows[one] = checker.Row{Seq: 11, Data: `{"v":2}`}
			delete(snapshots[2].Deleted, one)
		}, []checker.Rule{checker.Lost}},
		"a row whose offset did not move": {func(snapshots []checker.Snapshot) {
			delete(snapshots[2].Offsets, other)
		}, []checker.Rule{checker.Ahead}},
		"a version whose offset did not move": {func(snapshots []checker.Snapshot) {
			snapshots[1].Offsets[sag] = 1
		}, []checker.Rule{checker.Ahead, checker.Ahead}},
		"an offset that went back": {func(snapshots []checker.Snapshot) {
			snapshots[3].Offsets[other] = 0
		}, []checker.Rule{checker.Regressed}},
		"a row that an old version overwrote": {func(snapshots []checker.Snapshot) {
			snapshots[3].Rows[one] = checker.Row{Seq: 9, Data: `{"v":0}`}
		}, []checker.Rule{checker.Lost, checker.Regressed}},
		"a row that vanished": {func(snapshots []checker.Snapshot) {
			delete(snapshots[3].Rows, two)
		}, []checker.Rule{checker.Lost, checker.Regressed}},
		"a row that both exists and is deleted": {func(snapshots []checker.Snapshot) {
			snapshots[3].Deleted = map[checker.Key]int64{one: 12}
		}, []checker.Rule{checker.Duplicated}},
		"a deleted row that is still there": {func(snapshots []checker.Snapshot) {
			snapshots[2].Rows[one] = checker.Row{Seq: 12, Data: `{"v":2}`}
			delete(snapshots[2].Deleted, one)
		}, []checker.Rule{checker.Wrong}},
		"a row that was deleted and should exist": {func(snapshots []checker.Snapshot) {
			delete(snapshots[3].Rows, one)
			snapshots[3].Deleted = map[checker.Key]int64{one: 14}
		}, []checker.Rule{checker.Wrong}},
		"a row with the content of another version": {func(snapshots []checker.Snapshot) {
			snapshots[3].Rows[two] = checker.Row{Seq: 21, Data: `{"v":1}`}
		}, []checker.Rule{checker.Wrong}},
		"a change that is twice in the history": {func(snapshots []checker.Snapshot) {
			snapshots[1].History = append(snapshots[1].History, snapshots[1].History[1])
		}, []checker.Rule{checker.Duplicated}},
		"a change that is not in the history": {func(snapshots []checker.Snapshot) {
			snapshots[1].History = snapshots[1].History[:1]
		}, []checker.Rule{checker.Lost}},
		"a history of a record above the offset": {func(snapshots []checker.Snapshot) {
			snapshots[1].History = snapshots[2].History
		}, []checker.Rule{checker.Ahead}},
		"a history with a wrong action": {func(snapshots []checker.Snapshot) {
			snapshots[1].History[1].Action = "create"
		}, []checker.Rule{checker.Wrong}},
		"an offset that moved without its dead letter": {func(snapshots []checker.Snapshot) {
			clear(snapshots[2].DeadLetters)
		}, []checker.Rule{checker.Lost}},
		"a dead letter whose offset did not move": {func(snapshots []checker.Snapshot) {
			snapshots[1].DeadLetters = map[checker.Place]bool{at(sag, 4): true}
		}, []checker.Rule{checker.Ahead}},
		"a dead letter of a good record": {func(snapshots []checker.Snapshot) {
			snapshots[1].DeadLetters = map[checker.Place]bool{at(sag, 0): true}
		}, []checker.Rule{checker.Wrong}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			snapshots := correctSnapshots()
			c.spoil(snapshots)
			rules := map[checker.Rule]int{}
			for _, f := range checker.Judge(topics(), snapshots) {
				rules[f.Rule]++
			}
			want := map[checker.Rule]int{}
			for _, rule := range c.want {
				want[rule]++
			}
			if diff := cmp.Diff(want, rules); diff != "" {
				t.Errorf("rules broken (-want +got):\n%s", diff)
			}
		})
	}
}

// A late record, with a seq below that of earlier records, is in the history or not,
// depending on whether it was in one batch with them. Both are correct.
func TestHistoryOfOutOfOrderRecordsMayDiffer(t *testing.T) {
	t.Parallel()
	log := checker.NewLog([]checker.Record{
		{Place: at(sag, 0), Key: one, Seq: 5, Data: `{"v":1}`, Create: true},
		{Place: at(sag, 1), Key: one, Seq: 7, Data: `{"v":3}`},
		{Place: at(sag, 2), Key: one, Seq: 6, Data: `{"v":2}`},
	})
	entries := []checker.Entry{{Key: one, Seq: 5, Action: "create"}, {Key: one, Seq: 6, Action: "update"}, {Key: one, Seq: 7, Action: "update"}}
	for _, history := range [][]checker.Entry{entries, slices.Delete(slices.Clone(entries), 1, 2)} {
		snapshot := checker.Snapshot{
			Offsets: map[checker.Partition]int64{sag: 3}, Rows: map[checker.Key]checker.Row{one: {Seq: 7, Data: `{"v":3}`}}, History: history,
		}
		if faults := checker.Judge(log, []checker.Snapshot{snapshot}); len(faults) > 0 {
			t.Errorf("Judge(history %v) = %v, want none", history, faults)
		}
		snapshot.Rows = maps.Clone(snapshot.Rows)
		snapshot.Rows[one] = checker.Row{Seq: 6, Data: `{"v":2}`}
		if faults := checker.Judge(log, []checker.Snapshot{snapshot}); len(faults) == 0 {
			t.Error("a row that an old version overwrote was not found")
		}
	}
}
