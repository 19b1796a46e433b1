package odasim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	put(t, s, "Aktør",
		`{"id":1,"typeid":5,"navn":"Bo","opdateringsdato":"2019-03-20T19:21:12"}`,
		`{"id":2,"typeid":5,"navn":null,"opdateringsdato":"2019-03-20T19:21:14"}`,
		`{"id":3,"typeid":3,"navn":"anne","opdateringsdato":"2019-03-20T19:21:12"}`,
		`{"id":4,"typeid":3,"navn":"Carl","opdateringsdato":"2019-03-20T19:21:11"}`,
	)
	for order, want := range map[string][]int64{
		"":                             {1, 2, 3, 4},
		"id":                           {1, 2, 3, 4},
		"id asc":                       {1, 2, 3, 4},
		"id desc":                      {4, 3, 2, 1},
		"id desc,opdateringsdato":      {4, 3, 2, 1},
		"opdateringsdato":              {4, 1, 3, 2},
		"opdateringsdato,id":           {4, 1, 3, 2},
		"opdateringsdato asc, id asc":  {4, 1, 3, 2},
		"opdateringsdato,id desc":      {4, 3, 1, 2},
		"opdateringsdato desc":         {2, 1, 3, 4},
		"opdateringsdato desc,id":      {2, 1, 3, 4},
		"opdateringsdato desc,id desc": {2, 3, 1, 4},
		"typeid,id desc":               {4, 3, 2, 1},
		"typeid desc,opdateringsdato":  {1, 2, 4, 3},
		"navn":                         {2, 3, 1, 4},
		"navn desc":                    {4, 1, 3, 2},
	} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			var options []string
			if order != "" {
				options = []string{"$orderby", order}
			}
			if diff := cmp.Diff(want, ids(t, s, "Aktør", options...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// A page in the middle holds the same rows in the same order.
			if diff := cmp.Diff(want[1:3], ids(t, s, "Aktør", append(options, "$skip", "1", "$top", "2")...)); diff != "" {
				t.Errorf("$skip=1 $top=2 (-want +got):\n%s", diff)
			}
		})
	}
}
