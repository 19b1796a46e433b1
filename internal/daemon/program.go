package daemon

import (
	"context"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// The exit statuses.
const (
	ExitDone        = 0   // stopped by a signal, or done with --once
	ExitFault       = 1   // a fault; a daemon's supervisor should start it again
	ExitBadSettings = 2   // settings or flags are wrong; a person is needed
	ExitKilled      = 130 // a second signal ended it at once
)

// Logging holds the settings LOG_LEVEL and LOG_FORMAT; embed it with envPrefix:"LOG_".
type Logging struct {
	Level  string `env:"LEVEL" envDefault:"info" oneof:"debug,info,warn,error" help:"what is logged, to stderr"`
	Format string `env:"FORMAT" oneof:"text,json" help:"how; default: text on a terminal, else json"`
}

// Program describes a daemon to Main.
type Program struct {
	Name  string // as in usage and log lines: "poller"
	About string // for --help: what it is, in a line or two, and what --once does

	// NoOnce is for a program that has no end to work up to: it has no --once.
	NoOnce bool

	// Settings points to the program's struct of settings, which Main fills from
	// the environment before it calls Start. Log and HTTPAddr point into it.
	// If HTTPAddr is nil or empty, nothing is served.
	Settings any
	Log      *Logging
	HTTPAddr *string

	// Prefixes are those of the project's variables, Others the variables of the
	// project's other programs. Any other variable with such a prefix is logged as
	// unknown.
	Prefixes, Others []string

	// Start connects and builds. A daemon logs its error and tries again without limit;
	// with --once the error ends the program. A *settings.Error always ends it with
	// ExitBadSettings, and one wrapped by Permanent with ExitFault. On an error Start
	// closes what it opened.
	Start func(ctx context.Context, env Env) (Job, error)
}

// Env is what Main passes to Start.
type Env struct {
	Log      *slog.Logger
	Registry *prometheus.Registry // what /metrics shows; a new one for each try of Start
	Once     bool                 // --once was given
	Stdout   io.Writer
	Stderr   io.Writer
}

// Job is a started program.
type Job struct {
	// Run works until ctx ends, or with --once until all is done, and then returns nil.
	// An error ends the program with ExitFault.
	Run func(ctx context.Context) error
	// Ready reports whether all parts work. detail, shown as JSON, has the progress of
	// each part, or why it does not work. Nil: always ready.
	Ready func() (ok bool, detail any)
	// Status returns what /status shows as JSON. Nil: nothing.
	Status func() any
	// Close releases what Start opened, after Run has returned. Nil: nothing.
	Close func()
}

// permanent is an error of Start that no retry can fix.
type permanent struct{ error }

// Permanent marks an error of Start as one that no retry can fix. It returns nil for
// nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// Unwrap returns the cause.
func (p permanent) Unwrap() error { return p.error }
