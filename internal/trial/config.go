package trial

import (
	"slices"
	"time"

	"odastream/apply"
	"odastream/cache"
	"odastream/capture"
	"odastream/gateway"
	"odastream/internal/embedded"
	"odastream/internal/settings"
	"odastream/internal/wiring"
	"odastream/oda"
)

// Config says what a trial runs on.
type Config struct {
	// Dir holds a state directory for each source; see DefaultDir.
	Dir string
	// Simulated selects the simulated parliament. Otherwise the trial uses the live API,
	// or the simulated parliament if the API cannot be reached.
	Simulated bool
	// Entities to follow; the zero value means Settings.Entities.
	Entities wiring.Entities
	// Seed and Scale generate the simulated parliament; nil means that of the one in Dir,
	// or 1.
	Seed  *uint64
	Scale *float64
	// Pace is the time between two events of a simulated parliament.
	Pace time.Duration
	// Environ holds variables as os.Environ returns them. Those of the poller and the
	// sink are used, except the addresses of Kafka and Postgres.
	Environ []string
}

// Settings are the variables that a trial takes from the environment.
type Settings struct {
	Source   oda.Config      `envPrefix:"ODA_"`
	Entities wiring.Entities `env:"ODA_ENTITIES" help:"comma-separated entity sets; default: all 50 less Almdel, Aktstykke, Debat, EUsag, Forslag"`
	Capture  capture.Config
	Sink     apply.Config   `envPrefix:"SINK_"`
	Cache    cache.Config   `envPrefix:"CACHE_"`
	History  cache.History  `envPrefix:"HISTORY_"`
	Gateway  gateway.Config `envPrefix:"GATEWAY_"`
	// GatewayAddr is where the gateway listens; if it is in use, at any free port.
	GatewayAddr string `env:"GATEWAY_ADDR" envDefault:"127.0.0.1:8090" help:"address of the gateway"`
}

// Check reports what is wrong with the environment, all faults at once, as a
// *settings.Error.
func (c Config) Check() error {
	_, err := c.settings(false)
	return err
}

// settings reads the environment. A simulated parliament is polled more often, because
// it has no rate limit and people watch it.
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

// origin returns the origin of a journal's simulated parliament, or an error if the
// journal is of another one.
func (c Config) origin(journal string) (embedded.Origin, error) {
	origin, exists := embedded.SavedOrigin(journal)
	if !exists {
		origin = embedded.Origin{Seed: 1, Scale: 1}
	}
	want := origin
	if c.Seed != nil {
		want.Seed = *c.Seed
	}
	if c.Scale != nil {
		want.Scale = *c.Scale
	}
	if exists && want != origin {
		return want, &OtherParliamentError{Journal: journal, Is: origin, Want: want}
	}
	return want, nil
}
