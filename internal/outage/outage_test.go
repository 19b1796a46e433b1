package outage_test

import (
	"errors"
	"testing"

	"odastream/internal/outage"
)

func TestAnOutageBeginsWithItsFirstError(t *testing.T) {
	t.Parallel()
	var o outage.Outage
	if o.Note(nil) || !o.Since.IsZero() {
		t.Errorf("a success began an outage: %+v", o)
	}
	first, second := errors.New("first"), errors.New("second")
	if !o.Note(first) {
		t.Error("the first error began no outage")
	}
	since := o.Since
	if o.Note(second) || !errors.Is(o.Err, second) || !o.Since.Equal(since) {
		t.Errorf("after the second error: %v since %s, want it since the first, %s", o.Err, o.Since, since)
	}
	if !o.Note(nil) || o.Err != nil || o.Note(nil) {
		t.Error("a success did not end the outage once")
	}
}
