package capture

import (
	"errors"
	"testing"

	"odastream/oda"
	"odastream/odasim"
)

// The probe finds that the source ignores filters before an entity is worked on.
func TestAnEntityWhoseFiltersAreIgnoredWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag", "Stemme")
	w.sim.SetNow(atNoon())
	w.sim.Generate(3, 0.1)
	w.prober = w.source.(prober)
	w.sim.SetFaults(odasim.Faults{UnfilteredRate: 1})
	p, stop := w.process()
	defer stop()
	if err := p.Once(t.Context()); !errors.Is(err, oda.ErrNotHonoured) {
		t.Errorf("poller --once gives %v, want that the query is not honoured", err)
	}
	if len(p.Status().Contract) == 0 {
		t.Error("status does not show what the probe found")
	}
	// The probe asks for one of the two. The other one fails with its first page.
	if leases := w.count(`SELECT count(*) FROM poller_leases`); leases > 1 {
		t.Errorf("%d entities were worked on", leases)
	}
	if rows := w.count(`SELECT count(*) FROM poller_ledger`); rows != 0 {
		t.Errorf("%d rows were taken from a source that ignores filters", rows)
	}
	w.sim.SetFaults(odasim.Faults{})
	w.mustOnce()
	w.checkTopic("Sag")
}
