package trial

import (
	"slices"
	"time"

	"odastream/apply"
	"odastream/cache"
	"odastream/capture"
	"odastream/internal/embedded"
	"odastream/internal/settings"
	"odastream/internal/wiring"
	"odastream/oda"
)

// Config says what a trial runs on.
type Config struct {
	// Dir holds a state directory for each source; see DefaultDir.
	Dir string
	// Simulated takes the simulated parliament; else the live API, and the
	// simulated one if that cannot be reached.
	Simulated bool
	// Entities are followed; the zero value stands for Settings.Entities.
	Entities wiring.Entities
	// Origin is what a simulated parliament is made from; a nil part is that of the
	// one in Dir, or 1.
	Seed  *uint64
	Scale *float64
	// Pace is the time between two things that happen in a simulated parliament.
	Pace time.Duration
	// Environ holds variables as os.Environ gives them: those of the poller and the
	// sink count, but for the ones that say where Kafka and Postgres are.
	Environ []string
}

// Settings are the variables that a trial takes from the environment.
type Settings struct {
	Source   oda.Config      `envPrefix:"ODA_"`
	Entities wiring.Entities `env:"ODA_ENTITIES" help:"comma-separated entity sets; default: all 50 less Almdel, Aktstykke, Debat, EUsag, Forslag"`
	Capture  capture.Config
	Sink     apply.Config  `envPrefix:"SINK_"`
	Cache    cache.Config  `envPrefix:"CACHE_"`
	History  cache.History `envPrefix:"HISTORY_"`
}

// Check reports what is wrong with the environment, all faults at once, as a
// *settings.Error.
func (c Config) Check() error {
	_, err := c.settings(false)
	return err
}

// settings reads the environment. A simulated parliament may be asked as often
// as one likes, and people watch it: it is polled at a faster pace.
func (c Config) settings(simulated bool) (Settings, error) {
	environ := c.Environ
	if simulated {
		environ = slices.Concat([]string{"POLL_INTERVAL=1s", "POLL_INTERVAL_MAX=5s", "SCAN_EVERY=10m"}, c.Environ, []string{"ODA_RATE=0"})
	}
	var s Settings
	if err := settings.Parse(environ, &s); err != nil {
		return Settings{}, err
	}
	if len(c.Entities) > 0 {
		s.Entities = c.Entities
	}
	return s, nil
}

// origin is what the simulated parliament of a journal is to be made from; err
// says if another one lives there already.
func (c Config) origin(journal string) (embedded.Origin, error) {
	origin, lives := embedded.RememberedOrigin(journal)
	if !lives {
		origin = embedded.Origin{Seed: 1, Scale: 1}
	}
	want := origin
	if c.Seed != nil {
		want.Seed = *c.Seed
	}
	if c.Scale != nil {
		want.Scale = *c.Scale
	}
	if lives && want != origin {
		return want, &OtherParliamentError{Journal: journal, Is: origin, Want: want}
	}
	return want, nil
}
