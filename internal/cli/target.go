package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/connect"
	"odastream/internal/settings"
	"odastream/internal/trial"
	"odastream/stream"
)

// targetFlags is the flag of every command that connects to running programs.
type targetFlags struct{ dir string }

func (f *targetFlags) declare(set *flag.FlagSet) {
	set.StringVar(&f.dir, "dir", "", "state `directory` of \"odastream up\", if it runs with --dir")
}

func (f *targetFlags) resolve(environ []string) (target, error) { return resolve(environ, f.dir) }

// read finds what to connect to and fills into with its settings. It also checks the
// database's address.
func (f *targetFlags) read(environ []string, into any) (target, error) {
	to, err := f.resolve(environ)
	if err != nil {
		return to, err
	}
	var database struct {
		URL string `env:"DATABASE_URL" secret:"true" address:"postgres"`
	}
	return to, settings.Join(settings.Parse(to.environ, &database), settings.Parse(to.environ, into))
}

// target is what a command connects to.
type target struct {
	environ      []string // the daemons' variables that lead to it
	poller, sink string   // host:port of the endpoints; "" if the trial has none
}

// resolve finds what to connect to. If dir is named, it is the trial in dir, and an
// error if none runs there. Else, if neither KAFKA_BROKERS nor DATABASE_URL is set and
// a trial runs in the user's own directory, it is that trial. Else it is what the
// daemons' variables name.
func resolve(environ []string, dir string) (target, error) {
	named := dir != ""
	switch {
	case named:
	case value(environ, "KAFKA_BROKERS") != "" || value(environ, "DATABASE_URL") != "":
		return ofVariables(environ), nil
	default:
		var err error
		if dir, err = trial.DefaultDir(); err != nil {
			return ofVariables(environ), nil //nolint:nilerr // a user without a directory has no trial in it
		}
	}
	place, runs := trial.Running(dir)
	switch {
	case runs:
		return ofTrial(environ, place), nil
	case named:
		return target{}, fmt.Errorf("no \"odastream up\" runs in %s: start it with the same --dir", dir)
	}
	return ofVariables(environ), nil
}

// ofVariables returns the target that environ names.
func ofVariables(environ []string) target {
	return target{environ: environ, poller: "127.0.0.1:8080", sink: "127.0.0.1:8081"}
}

// ofTrial returns a running trial as a target. Its variables are those of environ,
// except the addresses of Kafka, Postgres and the source.
func ofTrial(environ []string, place trial.Place) target {
	others := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool { return strings.HasPrefix(entry, "KAFKA_") })
	return target{
		environ: append(others,
			"KAFKA_BROKERS="+place.Brokers, "KAFKA_TOPIC_PREFIX="+trial.TopicPrefix,
			"DATABASE_URL="+place.DatabaseURL, "ODA_URL="+place.Source),
		poller: place.Poller, sink: place.Sink,
	}
}

// databaseURL returns the database's address, "" if nothing names it.
func (t target) databaseURL() string { return value(t.environ, "DATABASE_URL") }

// pool opens the database, with the timeouts of cache.PoolConfig unless configure, if
// not nil, sets others.
func (t target) pool(ctx context.Context, configure func(*pgxpool.Config)) (*pgxpool.Pool, error) {
	url := t.databaseURL()
	if url == "" {
		return nil, &settings.Error{Faults: []string{noDatabase}}
	}
	if err := settings.CheckPostgres(url); err != nil {
		return nil, &settings.Error{Faults: []string{"DATABASE_URL is set, but not right, " + err.Error()}}
	}
	cfg, err := cache.PoolConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if configure != nil {
		configure(cfg)
	}
	return connect.Pool(ctx, cfg)
}

// withoutTimeout removes the limit on a statement's time.
func withoutTimeout(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["statement_timeout"] = "0" }

// noDatabase is the error if nothing names the database.
const noDatabase = `DATABASE_URL is not set, and no "odastream up" runs here: set it, start one, or name its directory with --dir`

// askKafka is how long a request to Kafka may take before Kafka counts as unreachable.
const askKafka = 10 * time.Second

// openKafka returns a client after a broker has answered it. The caller closes it.
func openKafka(ctx context.Context, cfg stream.Config, log *slog.Logger) (*kgo.Client, error) {
	cl, err := stream.NewClient(cfg, log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askKafka)
	defer cancel()
	if err := stream.Ping(ctx, cl, cfg); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// value returns the value of a variable, "" if it is blank; if it is set twice, the
// last counts.
func value(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			if strings.TrimSpace(v) == "" {
				return ""
			}
			return v
		}
	}
	return ""
}
