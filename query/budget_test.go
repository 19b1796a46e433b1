package query_test

import (
	"errors"
	"testing"

	"odastream/odata"
	"odastream/query"
)

// A page of few rows can expand any number of others: an answer that would hold more than
// it may is refused before it is read whole, whatever makes it large.
func TestAnAnswerHoldsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.02)
	for rawQuery, most := range map[string]int{
		"$top=50":                           3000,
		"$top=1&$expand=Afstemning/Stemme":  10_000,
		"$top=50&$expand=Afstemning/Stemme": 12_000,
	} {
		request, err := p.model.Parse("Stemme", rawQuery)
		if err != nil {
			t.Fatal(err)
		}
		query.Hold(p.reader, 64<<20)
		if _, err := p.reader.Rows(t.Context(), request, int(*request.Top)); err != nil {
			t.Errorf("%s: %v", rawQuery, err)
		}
		query.Hold(p.reader, most)
		if _, err := p.reader.Rows(t.Context(), request, int(*request.Top)); !errors.Is(err, odata.ErrTooLarge) {
			t.Errorf("%s with %d bytes: %v, want %v", rawQuery, most, err, odata.ErrTooLarge)
		}
	}
}
