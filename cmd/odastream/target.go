package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"

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

// kafka reads the settings of Kafka.
func (t *target) kafka(environ []string) (stream.Config, error) {
	if place, ok := t.running(environ); ok {
		return stream.Config{Brokers: []string{place.Brokers}, TopicPrefix: trial.TopicPrefix}, nil
	}
	if t.dir != "" {
		return stream.Config{}, fmt.Errorf("no \"odastream up\" runs in %s: start it with the same --dir", t.dir)
	}
	var s struct {
		Kafka stream.Config `envPrefix:"KAFKA_"`
	}
	err := settings.Parse(environ, &s)
	return s.Kafka, err
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
