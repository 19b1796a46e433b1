package odasim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lagging returns a server with rows 1 to 3 and a second node, an hour behind, which
// answers always if it may.
func lagging(t *testing.T) *Server {
	t.Helper()
	s := newSim(Options{Lag: time.Hour})
	for id := 1; id <= 3; id++ {
		mustPut(t, s, id, "old")
	}
	s.Advance(time.Hour)
	s.SetFaults(Faults{LagRate: 1})
	return s
}

func mustPut(t *testing.T, s *Server, id int, text string) {
	t.Helper()
	if err := s.Put("Aktør", fmt.Appendf(nil, `{"id":%d,"navn":%q}`, id, text)); err != nil {
		t.Fatal(err)
	}
}

// shown returns the names of all rows by id.
func shown(t *testing.T, s *Server) map[int]string {
	t.Helper()
	var page struct {
		Value []struct {
			ID   int    `json:"id"`
			Navn string `json:"navn"`
		} `json:"value"`
	}
	if err := json.Unmarshal(ask(t, s, "/"+url.PathEscape("Aktør")).Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	names := map[int]string{}
	for _, row := range page.Value {
		names[row.ID] = row.Navn
	}
	return names
}

func TestASecondNodeLags(t *testing.T) {
	t.Parallel()
	s := lagging(t)
	was := map[int]string{1: "old", 2: "old", 3: "old"}
	if diff := cmp.Diff(was, shown(t, s)); diff != "" || s.FaultCounts().Lagged != 0 {
		t.Errorf("before a change, %d answers lag (-want +got):\n%s", s.FaultCounts().Lagged, diff)
	}
	mustPut(t, s, 1, "new")
	s.Delete("Aktør", 2)
	mustPut(t, s, 4, "new")
	is := map[int]string{1: "new", 3: "old", 4: "new"}
	for turn, want := range []map[int]string{was, is, is, is, was} {
		if diff := cmp.Diff(want, shown(t, s)); diff != "" {
			t.Errorf("answer %d (-want +got):\n%s", turn, diff)
		}
	}
	if got := s.FaultCounts(); got != (FaultCounts{Lagged: 2}) {
		t.Errorf("counts %+v, want 2 that lag", got)
	}
	s.Advance(time.Hour)
	for range 5 {
		if diff := cmp.Diff(is, shown(t, s)); diff != "" {
			t.Errorf("an hour later (-want +got):\n%s", diff)
		}
	}
}

func TestAnEmptyAnswerIsFollowedByTheRows(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	many(t, s, 5, 0)
	s.SetFaults(Faults{EmptyRate: 1})
	for turn, want := range []int{0, 5, 0, 5} {
		if got := ids(t, s, "Stemme", "$orderby", "id"); len(got) != want {
			t.Errorf("answer %d has rows %v, want %d", turn, got, want)
		}
		if got := ids(t, s, "Stemme", "$filter", "id gt 0", "$top", "1"); len(got) != min(want, 1) {
			t.Errorf("answer %d to another question has rows %v, want %d", turn, got, min(want, 1))
		}
	}
	if got := s.FaultCounts(); got != (FaultCounts{Empty: 4}) {
		t.Errorf("counts %+v, want 4 empty", got)
	}
}

func TestForeignRows(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	many(t, s, 5, 0)
	s.SetFaults(Faults{ForeignRate: 1})
	for filter, want := range map[string][]int64{
		"id gt 3": {4, 5, 4}, "id gt 9": {minID}, "id le 0": {maxID}, "id le 0 or id gt 9": {},
		"opdateringsdato gt datetime'2100-01-01T00:00:00'": {minID}, "opdateringsdato lt datetime'1900-01-01T00:00:00'": {},
	} {
		if diff := cmp.Diff(want, ids(t, s, "Stemme", "$filter", filter, "$orderby", "id")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	if got := ids(t, s, "Sag"); len(got) != 0 {
		t.Errorf("a set without rows, asked for all of them, shows %v", got)
	}
}

func TestOversizedPages(t *testing.T) {
	t.Parallel()
	s := newSim(Options{PageCap: 20})
	many(t, s, 500, 0)
	s.SetFaults(Faults{OversizeRate: 1})
	if got := ids(t, s, "Stemme", "$top", "20", "$orderby", "id"); len(got) != 500 {
		t.Errorf("%d rows, want all 500", len(got))
	}
}

// Hostile rows are served byte for byte, and so is the page around them.
func TestHostileRowsAreServedAsTheyAre(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	for i, row := range HostileRows(1, "2019-03-20T19:21:12") {
		if err := s.Put("Sag", row); err != nil {
			t.Errorf("row %s: %v", clip(row), err)
		} else if got := s.Row("Sag", int64(i+1)); string(got) != string(row) {
			t.Errorf("row %s is served as %s", clip(row), clip(got))
		}
	}
	if page := ask(t, s, "/Sag").Body.Bytes(); !json.Valid(page) {
		t.Error("the page is no JSON")
	}
}

func clip(data []byte) []byte { return data[:min(len(data), 80)] }
