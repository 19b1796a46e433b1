package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"odastream/internal/settings"
)

// config is a program's settings, declared as in a cmd.
type config struct {
	DatabaseURL string  `env:"DATABASE_URL,required" secret:"true" help:"Postgres URL or DSN"`
	HTTPAddr    string  `env:"HTTP_ADDR" emptyOK:"true" help:"address to serve; empty: none"`
	Log         Logging `envPrefix:"LOG_"`
	Rows        int     `env:"ROWS" envDefault:"5" min:"1" max:"9" help:"rows of a batch"`
}

// syncBuffer is written by the program and read by the test concurrently.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

type launch struct {
	args    []string
	environ []string
	start   func(context.Context, Env) (Job, error)
	signals chan os.Signal
	stdout  syncBuffer
	stderr  syncBuffer
}

const dbEnv = "DATABASE_URL=postgres://u:hunter22@db/x"

func (l *launch) run(ctx context.Context) int {
	var c config
	if l.start == nil {
		l.start = func(context.Context, Env) (Job, error) {
			return Job{Run: func(context.Context) error { return nil }}, nil
		}
	}
	p := Program{
		Name: "poller", About: "Publishes changes.", Settings: &c, Log: &c.Log, HTTPAddr: &c.HTTPAddr,
		Prefixes: []string{"ROWS"}, Start: l.start,
	}
	return run(ctx, p, l.args, l.environ, &l.stdout, &l.stderr, l.signals)
}

func runs(run func(context.Context) error) func(context.Context, Env) (Job, error) {
	return func(context.Context, Env) (Job, error) { return Job{Run: run}, nil }
}

func untilTold(ctx context.Context) error { <-ctx.Done(); return nil }

func TestExitStatus(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	for claim, tc := range map[string]struct {
		args, environ []string
		start         func(context.Context, Env) (Job, error)
		want          int
		stdout        string // a text that must occur
		stderr        string
	}{
		"help prints the settings":        {[]string{"--help"}, nil, nil, 0, "ROWS          5           rows of a batch (1 to 9)", ""},
		"version prints the version":      {[]string{"--version"}, nil, nil, 0, "poller ", ""},
		"an unknown flag is named":        {[]string{"--onze"}, nil, nil, 2, "", "flag provided but not defined: -onze"},
		"an argument is a mistake":        {[]string{"once"}, nil, nil, 2, "", `unexpected argument "once"`},
		"bad settings are all named":      {nil, []string{"ROWS=0"}, nil, 2, "", "poller: bad settings:\nDATABASE_URL is not set, want Postgres URL or DSN\nROWS is 0, want 1 to 9\n"},
		"a job that is done":              {[]string{"--once"}, []string{dbEnv}, nil, 0, "", `"msg":"stopped"`},
		"a fault of the job":              {nil, []string{dbEnv}, runs(func(context.Context) error { return broken }), 1, "", "disk on fire"},
		"an unknown variable is named":    {nil, []string{dbEnv, "ROWSS=1"}, nil, 0, "", "is ROWS meant?"},
		"a text log if asked for":         {nil, []string{dbEnv, "LOG_FORMAT=text"}, nil, 0, "", "msg=stopped"},
		"an outage at the start of once":  {[]string{"--once"}, []string{dbEnv}, failing(broken), 1, "", "disk on fire"},
		"an error that no retry can fix":  {nil, []string{dbEnv}, failing(Permanent(broken)), 1, "", "disk on fire"},
		"bad settings found at the start": {nil, []string{dbEnv}, failing(&settings.Error{Faults: []string{"X is 1, want 2"}}), 2, "", "poller: bad settings:\nX is 1, want 2\n"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			l := launch{args: tc.args, environ: tc.environ, start: tc.start}
			if got := l.run(t.Context()); got != tc.want {
				t.Errorf("exit status %d, want %d", got, tc.want)
			}
			if !strings.Contains(l.stdout.String(), tc.stdout) {
				t.Errorf("stdout is\n%s\nwant in it %q", l.stdout.String(), tc.stdout)
			}
			if !strings.Contains(l.stderr.String(), tc.stderr) {
				t.Errorf("stderr is\n%s\nwant in it %q", l.stderr.String(), tc.stderr)
			}
		})
	}
}

func failing(err error) func(context.Context, Env) (Job, error) {
	return func(context.Context, Env) (Job, error) { return Job{}, err }
}

func TestADaemonRetriesItsStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		l := launch{environ: []string{dbEnv}, start: func(context.Context, Env) (Job, error) {
			at = append(at, time.Since(begin))
			if len(at) < 8 {
				return Job{}, errors.New("connection refused")
			}
			return Job{Run: func(context.Context) error { return nil }}, nil
		}}
		if got := l.run(t.Context()); got != ExitDone {
			t.Fatalf("exit status %d, want %d", got, ExitDone)
		}
		for i := 1; i < len(at); i++ {
			if pause := at[i] - at[i-1]; pause < retryFirst/2 || pause > retryLongest {
				t.Errorf("pause %d was %s, want %s to %s", i, pause, retryFirst/2, retryLongest)
			}
		}
		if got := strings.Count(l.stderr.String(), "not started yet, trying again"); got != 7 {
			t.Errorf("said so %d times, want 7", got)
		}
	})
}

func TestTheFirstSignalStops(t *testing.T) {
	t.Parallel()
	for claim, start := range map[string]func(context.Context, Env) (Job, error){
		"a job at work":                        runs(untilTold),
		"a job that tells its context's error": runs(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }),
		"a start that never works":             failing(errors.New("connection refused")),
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := launch{environ: []string{dbEnv}, start: start, signals: make(chan os.Signal, 2)}
				status := make(chan int)
				go func() { status <- l.run(t.Context()) }()
				synctest.Wait()
				l.signals <- syscall.SIGTERM
				if got := <-status; got != ExitDone {
					t.Errorf("exit status %d, want %d:\n%s", got, ExitDone, l.stderr.String())
				}
			})
		})
	}
}

func TestTheJobIsClosedAfterRun(t *testing.T) {
	t.Parallel()
	var order []string
	l := launch{environ: []string{dbEnv}, start: func(context.Context, Env) (Job, error) {
		return Job{
			Run:   func(context.Context) error { order = append(order, "run"); return nil },
			Close: func() { order = append(order, "close") },
		}, nil
	}}
	l.run(t.Context())
	if got, want := strings.Join(order, " "), "run close"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		l := launch{environ: []string{dbEnv}, signals: make(chan os.Signal, 2), start: runs(func(context.Context) error { <-release; return nil })}
		status := make(chan int)
		begin := time.Now()
		go func() { status <- l.run(t.Context()) }()
		l.signals <- syscall.SIGINT
		l.signals <- syscall.SIGINT
		if got := <-status; got != ExitKilled {
			t.Errorf("exit status %d, want %d", got, ExitKilled)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("took %s, want none", took)
		}
	})
}

func TestAJobThatDoesNotStopIsEndedAfterTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		l := launch{environ: []string{dbEnv}, signals: make(chan os.Signal, 2), start: runs(func(context.Context) error { <-release; return nil })}
		status := make(chan int)
		begin := time.Now()
		go func() { status <- l.run(t.Context()) }()
		l.signals <- syscall.SIGTERM
		if got := <-status; got != ExitFault {
			t.Errorf("exit status %d, want %d", got, ExitFault)
		}
		if took := time.Since(begin); took != stopWithin {
			t.Errorf("took %s, want %s", took, stopWithin)
		}
	})
}

func TestTheEndOfTheContextStopsToo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l := launch{environ: []string{dbEnv}, start: runs(func(ctx context.Context) error { cancel(); return untilTold(ctx) })}
	if got := l.run(ctx); got != ExitDone {
		t.Errorf("exit status %d, want %d", got, ExitDone)
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	l := launch{
		environ: []string{dbEnv, "LOG_LEVEL=debug"},
		start: func(_ context.Context, env Env) (Job, error) {
			env.Log.Debug("connecting to postgres://u:hunter22@db/x", "dsn", "password=hunter22",
				"err", errors.New("auth hunter22"), "any", struct{ P string }{"hunter22"})
			env.Log.WithGroup("g").With("dsn", "hunter22").Info("again", "other", "kept")
			return Job{}, Permanent(errors.New("password hunter22 is wrong"))
		},
	}
	l.run(t.Context())
	got := l.stderr.String()
	if strings.Contains(got, "hunter22") {
		t.Errorf("the password is in the log:\n%s", got)
	}
	if !strings.Contains(got, "kept") || strings.Count(got, hidden) < 6 {
		t.Errorf("more or less than the password is hidden:\n%s", got)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct{ dsn, want string }{
		"a URL":                       {"postgres://u:hunter22@db:5432/x?sslmode=require", "postgres://u@db:5432/x?sslmode=require"},
		"a parameter":                 {"postgres://db/x?password=hunter22&a=b", "postgres://db/x?password=(hidden)&a=b"},
		"a DSN":                       {"host=db password=hunter22 user=u", "host=db password=(hidden) user=u"},
		"a quoted password":           {`host=db password='it\'s mine' user=u`, "host=db password=(hidden) user=u"},
		"nothing to hide":             {"postgres://u@db/x", "postgres://u@db/x"},
		"a URL that cannot be read":   {"postgres://u:p%zz@db/x", "(hidden)"},
		"a DSN without any password":  {"host=/tmp dbname=x", "host=/tmp dbname=x"},
		"a password with white space": {"host=db password = hunter22", "host=db password = (hidden)"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := Redact(tc.dsn); got != tc.want {
				t.Errorf("Redact(%s) = %s, want %s", tc.dsn, got, tc.want)
			}
		})
	}
}

func TestUntilStoppedReturnsTheStatusOfWork(t *testing.T) {
	t.Parallel()
	log := NewLogger(Logging{Level: "info"}, io.Discard, nil)
	got := UntilStopped(t.Context(), log, func(context.Context) int { return 7 })
	if got != 7 {
		t.Errorf("UntilStopped = %d, want 7", got)
	}
}
