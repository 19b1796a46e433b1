package capture

import "time"

// Config paces a Poller. Its zero value is not usable; the defaults are in the
// tags.
type Config struct {
	// Interval is the pause between two tail passes of an entity that changes.
	Interval time.Duration `env:"POLL_INTERVAL" envDefault:"5s" min:"10ms" max:"24h" help:"pause between two looks at an entity while it changes"`
	// IntervalMax is the pause that a resting or failing entity slows towards.
	IntervalMax time.Duration `env:"POLL_INTERVAL_MAX" envDefault:"5m" min:"10ms" max:"24h" help:"pause that an entity at rest, or one that fails, slows towards"`
	// Overlap is how far behind the watermark every fifth pass looks again.
	Overlap time.Duration `env:"POLL_OVERLAP" envDefault:"10m" min:"5s" max:"24h" help:"how far behind the watermark is looked again, at every fifth look"`
	// Lease is how long an entity stays with a poller that has gone silent. Half
	// of it must be longer than a produce may take (stream.DeliveryTimeout).
	Lease time.Duration `env:"POLL_LEASE" envDefault:"15s" min:"12s" max:"10m" help:"how long an entity stays with a poller that has gone silent"`
	// ScanEvery is the longest time between two complete reads of an entity; 0 is
	// never, a second or less is each time that one is looked for. A first load is made
	// in any case.
	ScanEvery time.Duration `env:"SCAN_EVERY" envDefault:"24h" min:"0s" max:"8760h" help:"each entity is read whole again within this time; 0 = never, 1s = with --once always"`
}

// Faults names what the tags cannot: settings that do not fit each other.
func (c Config) Faults() []string {
	if c.IntervalMax < c.Interval {
		return []string{"POLL_INTERVAL_MAX is " + c.IntervalMax.String() + ", want POLL_INTERVAL (" + c.Interval.String() + ") or more"}
	}
	return nil
}

// always is the ScanEvery at and below which a scan is due whenever one is looked
// for, also right after the one before.
const always = time.Second

// scanDue tells whether a scan is due so long after the one before.
func (c Config) scanDue(since time.Duration) bool {
	return c.ScanEvery > 0 && (c.ScanEvery <= always || since >= c.ScanEvery)
}
