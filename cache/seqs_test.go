package cache

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSeqsIncludeDeletedRows(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 10, `{}`), sag(2, 20, `{}`), sag(3, 30, ""), record("Aktør", 4, 40, `{}`), sag(-5, 50, `{}`))
	mustApply(t, s, sag(2, 21, ""))
	got, err := NewReader(s.pool).Seqs(t.Context(), "Sag", []int64{1, 2, 3, 4, -5, 6})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int64]int64{1: 10, 2: 21, 3: 30, -5: 50}, got); diff != "" {
		t.Errorf("Seqs (-want +got):\n%s", diff)
	}
	if got, err := NewReader(s.pool).Seqs(t.Context(), "Sag", nil); err != nil || len(got) != 0 {
		t.Errorf("Seqs of no rows = %v, %v, want none", got, err)
	}
}
