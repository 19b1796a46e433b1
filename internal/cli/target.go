package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/settings"
	"odastream/internal/trial"
	"odastream/stream"
)

// target is where a command finds Kafka and Postgres: as the daemons' variables
// say, or where they are silent, at the running trial.
type target struct{ dir string }

func (t *target) declare(set *flag.FlagSet) {
	set.StringVar(&t.dir, "dir", "", "state `directory` of an \"odastream up\" that was given one")
}

// running finds the trial that is meant: by --dir, or because nothing else is.
func (t *target) running(environ []string) (trial.Place, bool) {
	if t.dir != "" {
		return trial.Running(t.dir)
	}
	if value(environ, "KAFKA_BROKERS") != "" || value(environ, "DATABASE_URL") != "" {
		return trial.Place{}, false
	}
	dir, err := trial.DefaultDir()
	if err != nil {
		return trial.Place{}, false
	}
	return trial.Running(dir)
}

// find is running, but a trial that --dir names must be there.
func (t *target) find(environ []string) (place trial.Place, ok bool, err error) {
	if place, ok = t.running(environ); !ok && t.dir != "" {
		err = fmt.Errorf("no \"odastream up\" runs in %s: start it with the same --dir", t.dir)
	}
	return place, ok, err
}

// kafka reads the settings of Kafka.
func (t *target) kafka(environ []string) (stream.Config, error) {
	if place, ok, err := t.find(environ); ok || err != nil {
		return trialKafka(place), err
	}
	var s struct {
		Kafka stream.Config `envPrefix:"KAFKA_"`
	}
	err := settings.Parse(environ, &s)
	return s.Kafka, err
}

// trialKafka is where a trial keeps its topics.
func trialKafka(place trial.Place) stream.Config {
	return stream.Config{Brokers: []string{place.Brokers}, TopicPrefix: trial.TopicPrefix}
}

// openKafka makes a client and sees that a broker answers it. The caller closes it.
func openKafka(ctx context.Context, cfg stream.Config, log *slog.Logger) (*kgo.Client, error) {
	cl, err := stream.NewClient(cfg, log)
	if err != nil {
		return nil, err
	}
	if err := stream.Ping(ctx, cl, cfg); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// value is that of a variable; of a name twice the last counts.
func value(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
