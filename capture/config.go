package capture

import "time"

// Config sets how often a Poller reads. The defaults are in the tags; the zero value
// is not usable.
type Config struct {
	// Interval is the pause between two tail passes of an entity that changes.
	Interval time.Duration `env:"POLL_INTERVAL" envDefault:"5s" min:"10ms" max:"24h" help:"pause between two passes of an entity while it changes"`
	// IntervalMax is the longest pause: of an entity that does not change or fails.
	IntervalMax time.Duration `env:"POLL_INTERVAL_MAX" envDefault:"5m" min:"10ms" max:"24h" help:"longest pause, reached by an entity that does not change or fails"`
	// Overlap is how far behind the watermark each fifth pass looks back.
	Overlap time.Duration `env:"POLL_OVERLAP" envDefault:"10m" min:"5s" max:"24h" help:"how far behind the watermark each fifth pass looks back"`
	// Lease is how long an entity stays with a poller that does not answer. It must be
	// longer than two deliveries may take (stream.DeliveryTimeout).
	Lease time.Duration `env:"POLL_LEASE" envDefault:"15s" min:"12s" max:"10m" help:"how long an entity stays with a poller that does not answer"`
	// ScanEvery is the longest time between two scans of an entity. 0 means no scans; a
	// second or less means a scan whenever the poller checks whether one is due. The
	// first load is made in any case.
	ScanEvery time.Duration `env:"SCAN_EVERY" envDefault:"24h" min:"0s" max:"8760h" help:"each entity is read whole again within this time; 0 = never, 1s = always with --once"`
}

// Faults returns the faults that the tags cannot express: settings that contradict
// each other.
func (c Config) Faults() []string {
	if c.IntervalMax < c.Interval {
		return []string{"POLL_INTERVAL_MAX is " + c.IntervalMax.String() + ", want POLL_INTERVAL (" + c.Interval.String() + ") or more"}
	}
	return nil
}

// always is the ScanEvery up to which a scan is due whenever the poller checks, also
// right after another one.
const always = time.Second

// clocksDiffer is how far the clocks of two pollers may be apart.
const clocksDiffer = time.Hour

// scanDue reports whether a scan is due this long after the last one.
func (c Config) scanDue(since time.Duration) bool {
	// A scan in the future ended while the clock of the machine was ahead.
	return c.ScanEvery > 0 && (c.ScanEvery <= always || since >= c.ScanEvery || since < -clocksDiffer)
}
