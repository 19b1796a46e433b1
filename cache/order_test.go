package cache

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrdered(t *testing.T) {
	t.Parallel()
	records := []Record{
		sag(2, 5, `1`), sag(1, 9, `2`), record("Aktør", 7, 1, `3`), sag(1, 3, `4`), sag(1, 9, `5`), sag(2, 6, ""),
	}
	type row struct {
		entity  string
		id, seq int64
		data    string
		last    bool
	}
	var got []row
	entries := ordered(records)
	for _, e := range entries {
		got = append(got, row{e.Change.Entity, e.Change.ID, e.Change.Seq, string(e.Change.Data), e.last})
	}
	want := []row{
		{"Aktør", 7, 1, "3", true},
		{"Sag", 1, 3, "4", false},
		{"Sag", 1, 9, "2", true},
		{"Sag", 1, 9, "5", false},
		{"Sag", 2, 5, "1", false},
		{"Sag", 2, 6, "", true},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("ordered (-want +got):\n%s", diff)
	}
	all, deleting := entitiesOf(entries)
	if diff := cmp.Diff([][]string{{"Aktør", "Sag"}, {"Sag"}}, [][]string{all, deleting}); diff != "" {
		t.Errorf("entitiesOf (-want +got):\n%s", diff)
	}
}

func TestLocksHaveOneOrder(t *testing.T) {
	t.Parallel()
	a := Batch{Records: []Record{sag(1, 1, `{}`), sag(2, 1, `{}`), sag(3, 1, `{}`)}}
	b := Batch{
		Records: []Record{sag(2, 1, `{}`), sag(2, 2, `{}`)},
		Moves:   []Move{{TopicPartition: sagOne}, {TopicPartition: sagZero}},
	}
	if diff := cmp.Diff(a.lockKeys(), b.lockKeys()); diff != "" || len(a.lockKeys()) != 2 {
		t.Errorf("locks of two batches of the same two partitions: %v and %v", a.lockKeys(), b.lockKeys())
	}
}
