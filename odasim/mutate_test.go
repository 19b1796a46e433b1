package odasim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMutations(t *testing.T) {
	t.Parallel()
	const first = `{"id":1,"navn":"Bo","opdateringsdato":"2019-03-20T19:21:12.267"}`
	for claim, c := range map[string]struct {
		do   func(*Server) error
		want string
	}{
		"a silent edit leaves the stamp": {
			func(s *Server) error { return s.Edit("Aktør", 1, "navn", "Åse") },
			`{"id":1,"navn":"Åse","opdateringsdato":"2019-03-20T19:21:12.267"}`,
		},
		"a touch leaves the content": {
			func(s *Server) error { return s.Edit("Aktør", 1, "opdateringsdato", "2030-01-01T00:00:00") },
			`{"id":1,"navn":"Bo","opdateringsdato":"2030-01-01T00:00:00"}`,
		},
		"a stamp becomes null": {
			func(s *Server) error { return s.Edit("Aktør", 1, "opdateringsdato", nil) },
			`{"id":1,"navn":"Bo","opdateringsdato":null}`,
		},
		"a new member stands at the end": {
			func(s *Server) error { return s.Edit("Aktør", 1, "ukendt", []int{1}) },
			`{"id":1,"navn":"Bo","opdateringsdato":"2019-03-20T19:21:12.267","ukendt":[1]}`,
		},
		"a row is replaced as it is given": {
			func(s *Server) error { return s.Put("Aktør", []byte(`{"navn": null, "id": 1}`)) }, `{"navn":null,"id":1}`,
		},
		"a row is gone": {
			func(s *Server) error {
				if !s.Delete("Aktør", 1) || s.Delete("Aktør", 1) || s.Delete("Nope", 1) {
					return fmt.Errorf("Delete does not say whether the row was there")
				}
				return nil
			}, "",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newSim(Options{})
			put(t, s, "Aktør", first)
			if err := c.do(s); err != nil {
				t.Fatal(err)
			}
			if got := string(s.Row("Aktør", 1)); got != c.want {
				t.Errorf("row %s, want %s", got, c.want)
			}
		})
	}
}

func TestMutationsRefuse(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	put(t, s, "Aktør", `{"id":1}`)
	for claim, err := range map[string]error{
		"a row of an unknown set":          s.Put("Nope", []byte(`{"id":1}`)),
		"a row that is not JSON":           s.Put("Aktør", []byte(`{"id":2`)),
		"a late row of an unknown set":     s.PutLate("Nope", []byte(`{"id":1}`), time.Now()),
		"a late row that is not an object": s.PutLate("Aktør", []byte(`1`), time.Now()),
		"an edit of an unknown row":        s.Edit("Aktør", 2, "navn", "Bo"),
		"an edit in an unknown set":        s.Edit("Nope", 1, "navn", "Bo"),
		"a value that is not JSON":         s.Edit("Aktør", 1, "navn", func() {}),
		"a stamp that is not a time":       s.Edit("Aktør", 1, "opdateringsdato", "today"),
		"a set that is unknown":            s.SetMissing("Nope", true),
	} {
		if err == nil {
			t.Errorf("%s: no error", claim)
		}
	}
	if s.Rows("Nope") != nil || s.Len("Nope") != 0 || s.Row("Nope", 1) != nil {
		t.Error("an unknown set has rows")
	}
	if got := string(s.Row("Aktør", 1)); got != `{"id":1}` {
		t.Errorf("what was refused changed the row to %s", got)
	}
}

func TestEditOfEscapedRow(t *testing.T) {
	t.Parallel()
	s := newSim(Options{EscapeUnicode: true})
	put(t, s, "Stemme", vote(1, "2019-03-20T19:21:12"))
	if err := s.Edit("Stemme", 1, "aktørid", 7); err != nil {
		t.Fatal(err)
	}
	if got := string(s.Row("Stemme", 1)); !strings.Contains(got, `"akt\u00f8rid":7`) || strings.Contains(got, ":5") {
		t.Errorf("row %s, want the one member changed", got)
	}
}

// TestLateRow checks that a row can become visible long after its stamp.
func TestLateRow(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newSim(Options{Now: func() time.Time { return at }})
	stamp := Stamp(at)
	for id, after := range map[int]time.Duration{1: 0, 2: time.Minute, 3: time.Hour} {
		if err := s.PutLate("Stemme", []byte(vote(id, stamp)), at.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		after time.Duration
		want  []int64
	}{{0, []int64{1}}, {59 * time.Second, []int64{1}}, {time.Second, []int64{1, 2}}, {time.Hour, []int64{1, 2, 3}}} {
		s.Advance(step.after)
		got := ids(t, s, "Stemme", "$filter", "opdateringsdato ge datetime'"+stamp+"'")
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s later (-want +got):\n%s", step.after, diff)
		}
	}
}

// TestReadersAndWriters is for the race detector, and checks that pages stay in order
// while rows are added and deleted.
func TestReadersAndWriters(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for n := range 200 {
				id := 1 + (n*7+w)%100
				if err := s.Put("Stemme", []byte(vote(id, fmt.Sprintf("2019-03-20T19:%02d:12", n%60)))); err != nil {
					t.Error(err)
				}
				s.Delete("Stemme", int64(1+(n*3)%100))
				s.SetFaults(Faults{Seed: uint64(n), ShortRate: 0.5})
			}
		})
		wg.Go(func() {
			for n := range 200 {
				list := ids(t, s, "Stemme", "$orderby", "id", "$filter", fmt.Sprintf("id gt %d and opdateringsdato gt datetime'2019-03-20T19:05:00'", n%50))
				for i := 1; i < len(list); i++ {
					if list[i] <= list[i-1] {
						t.Errorf("ids %v are not in order", list)
					}
				}
				s.Advance(time.Millisecond)
			}
		})
	}
	wg.Wait()
	if len(s.Rows("Stemme")) != s.Len("Stemme") {
		t.Error("Rows and Len differ")
	}
}
