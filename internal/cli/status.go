package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"odastream/internal/survey"
)

const statusMore = `
The database is that of DATABASE_URL, or where that is not set that of the running "odastream up". Poller and sink are
asked at --poller and --sink; what does not answer is said, and the tables tell the rest.`

// statusFlags are the command line of status.
type statusFlags struct {
	target
	json         bool
	poller, sink string
}

func statusCommand() command {
	return command{
		name: "status", about: "Show how far poller and sink are, entity by entity.", more: statusMore,
		flags: func(set *flag.FlagSet) action {
			f := &statusFlags{}
			f.declare(set)
			set.BoolVar(&f.json, "json", false, "print it as one JSON object")
			set.StringVar(&f.poller, "poller", "", "`host:port` of the poller's HTTP_ADDR; default 127.0.0.1:8080, or that of \"odastream up\"")
			set.StringVar(&f.sink, "sink", "", "`host:port` of the sink's HTTP_ADDR; default 127.0.0.1:8081, or that of \"odastream up\"")
			return f.run
		},
	}
}

func (f *statusFlags) run(ctx context.Context, c call) error {
	to, err := f.where(c.environ)
	if err != nil {
		return err
	}
	report, err := survey.Take(ctx, to)
	if err != nil {
		return err
	}
	if !f.json {
		return report.WriteText(c.stdout)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encode status: %w", err)
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", text)
	return err
}

// where finds what to look at: the daemons' variables, or the running trial.
func (f *statusFlags) where(environ []string) (survey.Target, error) {
	place, trial := f.running(environ)
	kafka, err := f.kafka(environ)
	if err != nil {
		return survey.Target{}, err
	}
	t := survey.Target{TopicPrefix: kafka.TopicPrefix, Poller: f.poller, Sink: f.sink}
	if trial {
		t.DatabaseURL, t.Poller, t.Sink = place.DatabaseURL, cmp.Or(f.poller, place.Poller), cmp.Or(f.sink, place.Sink)
		return t, nil
	}
	if t.DatabaseURL = value(environ, "DATABASE_URL"); t.DatabaseURL == "" {
		return t, errors.New("DATABASE_URL is not set, and no \"odastream up\" runs here: set it, start one, or name its directory with --dir")
	}
	t.Poller, t.Sink = cmp.Or(f.poller, "127.0.0.1:8080"), cmp.Or(f.sink, "127.0.0.1:8081")
	return t, nil
}
