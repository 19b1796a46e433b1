package odasim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCompare checks both cases of fact 6: which rows a literal finds, for stamps that
// end in 0, 3 and 7.
func TestCompare(t *testing.T) {
	t.Parallel()
	stamps := map[int]string{
		1: "2019-03-20T19:21:12", 2: "2019-03-20T19:21:12.003", 3: "2019-03-20T19:21:12.007", 4: "2019-03-20T19:21:12.01",
	}
	for claim, c := range map[string]struct{ ticks, text []int64 }{
		"eq datetime'2019-03-20T19:21:12.000'":     {[]int64{1}, []int64{1}},
		"eq datetime'2019-03-20T19:21:12.003'":     {nil, []int64{2}},
		"eq datetime'2019-03-20T19:21:12.007'":     {nil, []int64{3}},
		"eq datetime'2019-03-20T19:21:12.010'":     {[]int64{4}, []int64{4}},
		"ge datetime'2019-03-20T19:21:12.007'":     {[]int64{4}, []int64{3, 4}},
		"gt datetime'2019-03-20T19:21:12.007'":     {[]int64{4}, []int64{4}},
		"gt datetime'2019-03-20T19:21:12.003'":     {[]int64{2, 3, 4}, []int64{3, 4}},
		"ge datetime'2019-03-20T19:21:12.003'":     {[]int64{2, 3, 4}, []int64{2, 3, 4}},
		"le datetime'2019-03-20T19:21:12.003'":     {[]int64{1}, []int64{1, 2}},
		"lt datetime'2019-03-20T19:21:12.003'":     {[]int64{1}, []int64{1}},
		"le datetime'2019-03-20T19:21:12.007'":     {[]int64{1, 2, 3}, []int64{1, 2, 3}},
		"lt datetime'2019-03-20T19:21:12.007'":     {[]int64{1, 2, 3}, []int64{1, 2}},
		"ne datetime'2019-03-20T19:21:12.003'":     {[]int64{1, 2, 3, 4}, []int64{1, 3, 4}},
		"ge datetime'2019-03-20T19:21:12'":         {[]int64{1, 2, 3, 4}, []int64{1, 2, 3, 4}},
		"gt datetime'2019-03-20T19:21'":            {[]int64{1, 2, 3, 4}, []int64{1, 2, 3, 4}},
		"ge datetime'2019-03-20T19:21:12.0066666'": {[]int64{3, 4}, []int64{3, 4}},
		"gt datetime'2019-03-20T19:21:12.0066667'": {[]int64{4}, []int64{3, 4}},
		"gt datetime'2019-03-20T19:21:11.997000'":  {[]int64{1, 2, 3, 4}, []int64{1, 2, 3, 4}},
		"gt datetime'2019-03-20T19:21:12.0100000'": {nil, nil},
		"eq null":                              {nil, nil},
		"ne null":                              {[]int64{1, 2, 3, 4}, []int64{1, 2, 3, 4}},
		"gt datetime'9999-12-31T23:59:59.997'": {nil, nil},
		"gt datetime'0001-01-01T00:00:00'":     {[]int64{1, 2, 3, 4}, []int64{1, 2, 3, 4}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			for compare, want := range map[Compare][]int64{CompareTicks: c.ticks, CompareText: c.text} {
				s := newSim(Options{Compare: compare})
				votes(t, s, stamps)
				want = append([]int64{}, want...)
				for _, order := range []string{"id", "opdateringsdato", "typeid,opdateringsdato"} {
					got := ids(t, s, "Stemme", "$filter", "opdateringsdato "+claim, "$orderby", order)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s, order %s (-want +got):\n%s", compare, order, diff)
					}
				}
			}
		})
	}
}

func TestNullStampMatchesNoComparison(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	put(t, s, "Dagsordenspunkt", `{"id":1,"opdateringsdato":null}`, `{"id":2,"opdateringsdato":"2019-03-20T19:21:12"}`, `{"id":3}`)
	for filter, want := range map[string][]int64{
		"opdateringsdato le datetime'2026-01-01T00:00:00'":       {2},
		"opdateringsdato gt datetime'2000-01-01T00:00:00'":       {2},
		"opdateringsdato ne datetime'2019-03-20T19:21:12'":       {1, 3},
		"opdateringsdato eq null":                                {1, 3},
		"opdateringsdato ne null":                                {2},
		"not (opdateringsdato gt datetime'2000-01-01T00:00:00')": {1, 3},
		"id ge 1": {1, 2, 3},
	} {
		if diff := cmp.Diff(want, ids(t, s, "Dagsordenspunkt", "$filter", filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	if diff := cmp.Diff([]int64{1, 3, 2}, ids(t, s, "Dagsordenspunkt", "$orderby", "opdateringsdato,id")); diff != "" {
		t.Errorf("null comes first (-want +got):\n%s", diff)
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		at   time.Time
		want string
	}{
		"winter is an hour ahead":       {time.Date(2026, 11, 23, 15, 9, 58, 347e6, time.UTC), "2026-11-23T16:09:58.347"},
		"summer is two":                 {time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), "2026-07-01T14:00:00"},
		"5 ms is the tick at 3":         {time.Date(2026, 7, 1, 12, 0, 0, 4e6, time.UTC), "2026-07-01T14:00:00.003"},
		"8 ms is the tick at 7":         {time.Date(2026, 7, 1, 12, 0, 0, 8e6, time.UTC), "2026-07-01T14:00:00.007"},
		"zeros are dropped":             {time.Date(2026, 7, 1, 12, 0, 0, 100e6, time.UTC), "2026-07-01T14:00:00.1"},
		"999 ms is the next second":     {time.Date(2026, 7, 1, 12, 0, 0, 999e6, time.UTC), "2026-07-01T14:00:01"},
		"the October hour runs":         {time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), "2026-10-25T02:30:00"},
		"the October hour runs again":   {time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), "2026-10-25T02:30:00"},
		"the March hour is passed over": {time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), "2026-03-29T03:00:00"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := Stamp(c.at); got != c.want {
				t.Errorf("Stamp(%s) = %q, want %q", c.at, got, c.want)
			}
		})
	}
}

func TestStampDigits(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for ms := range 1000 {
		m, err := parseMoment(Stamp(at.Add(time.Duration(ms) * time.Millisecond)))
		if err != nil {
			t.Fatal(err)
		}
		digit := m / (unitsPerSecond / 1000) % 10
		if digit != 0 && digit != 3 && digit != 7 {
			t.Fatalf("%d ms is stamped with the last digit %d, want 0, 3 or 7", ms, digit)
		}
	}
}

func TestParseMomentRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "2019", "2019-03-20", "2019-03-20T19", "2019-13-20T19:21:12", "2019-02-30T19:21:12", "2019-03-20T19:21:12,5",
		"2019-03-20T19:21:12.", "2019-03-20T19:21:12.12345678", "2019-03-20T19:21:12Z", "2019-03-20 19:21:12",
	} {
		if m, err := parseMoment(text); err == nil {
			t.Errorf("parseMoment(%q) = %d, want an error", text, m)
		}
	}
}
