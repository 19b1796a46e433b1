package trial

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odastream/internal/embedded"
	"odastream/internal/settings"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	environ := []string{"ODA_RATE=2", "SINK_LINGER=1s", "KAFKA_BROKERS=elsewhere:9092", "DATABASE_URL=postgres://elsewhere"}
	live, err := Config{Environ: environ}.settings(false)
	if err != nil {
		t.Fatal(err)
	}
	if live.Source.Rate != 2 || live.Capture.Interval != 5*time.Second || live.Sink.Linger != time.Second {
		t.Errorf("live: rate %v, interval %s, linger %s; want 2, the default 5s, 1s", live.Source.Rate, live.Capture.Interval, live.Sink.Linger)
	}
	simulated, err := Config{Environ: environ}.settings(true)
	if err != nil {
		t.Fatal(err)
	}
	if simulated.Source.Rate != 0 || simulated.Capture.Interval != time.Second {
		t.Errorf("simulated: rate %v, interval %s; want no limit and 1s, whatever the live API is spared", simulated.Source.Rate, simulated.Capture.Interval)
	}
	asked, err := Config{Environ: append(environ, "POLL_INTERVAL=3s")}.settings(true)
	if err != nil || asked.Capture.Interval != 3*time.Second {
		t.Errorf("simulated with POLL_INTERVAL=3s: interval %s, error %v", asked.Capture.Interval, err)
	}
}

func TestCheckNamesEveryFault(t *testing.T) {
	t.Parallel()
	err := Config{Environ: []string{"ODA_RATE=fast", "POLL_LEASE=1s"}}.Check()
	var bad *settings.Error
	if !errors.As(err, &bad) || len(bad.Faults) != 2 {
		t.Errorf("Check = %v, want a *settings.Error of two faults", err)
	}
}

func TestOriginIsKept(t *testing.T) {
	t.Parallel()
	seven, two := uint64(7), 2.0
	journal := filepath.Join(t.TempDir(), "journal")
	fresh, err := Config{Seed: &seven}.origin(journal)
	if want := (embedded.Origin{Seed: 7, Scale: 1}); err != nil || fresh != want {
		t.Fatalf("origin of a new directory = %+v, %v, want %+v", fresh, err, want)
	}
	fresh.Scale = 0.01
	p, err := embedded.StartParliament(t.Context(), journal, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for claim, c := range map[string]struct {
		cfg Config
		ok  bool
	}{
		"nothing asked for":         {Config{}, true},
		"the same seed asked for":   {Config{Seed: &seven}, true},
		"another scale is an error": {Config{Scale: &two}, false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got, err := c.cfg.origin(journal)
			var other *OtherParliamentError
			if c.ok && (err != nil || got != fresh) || !c.ok && !errors.As(err, &other) {
				t.Errorf("origin = %+v, %v", got, err)
			}
			if !c.ok && !strings.Contains(err.Error(), "--seed 7 --scale 0.01") {
				t.Errorf("error %q does not say what is there", err)
			}
		})
	}
}
