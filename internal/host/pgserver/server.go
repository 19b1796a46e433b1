package pgserver

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"odastream/internal/host/child"
	"odastream/internal/host/flock"
)

// startTimeout bounds a start. Recovery after a crash takes the longest.
const startTimeout = 2 * time.Minute

// Options says which server to start.
type Options struct {
	// Dir keeps the cluster, its socket and its log between starts; required. It is made
	// if it is missing. For root it must be where the account "postgres" (or "nobody")
	// can enter, see StateDir.
	Dir string
	// Database is made if it is missing; "" means "odastream".
	Database string
	// Settings are added to the server's, for instance "max_connections". They have no
	// effect on a server that already runs.
	Settings map[string]string
	// Volatile turns fsync off. It saves about a tenth of the time, but a power cut can
	// destroy the cluster. Use it only for clusters that may be lost.
	Volatile bool
	// Exclusive stops a server that already runs on Dir instead of using it.
	Exclusive bool
	// Log gets a line at start and a line at stop; nil discards them.
	Log *slog.Logger
}

// Server is a running Postgres server. It is safe for concurrent use.
type Server struct {
	cluster cluster
	process *child.Process // nil: another process started it
	log     *slog.Logger
}

// Start starts a server on o.Dir, with a new cluster if there is none. It returns once
// the server accepts connections and has the database. If a server already runs there,
// Start returns that one, and Stop does not stop it. The caller calls Stop. If the
// process dies before, the server stops by itself on Linux; elsewhere it keeps running
// and the next Start finds it.
//
// The error is one line that says what to do. It is a *NoBinariesError if the machine has
// no Postgres.
func Start(ctx context.Context, o Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := newCluster(ctx, o)
	if err != nil {
		return nil, err
	}
	// Otherwise two processes that start at once would both make the cluster.
	lock, err := flock.Wait(filepath.Join(c.dir, "start.lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	s := &Server{cluster: c, log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.start(ctx, o); err != nil {
		return nil, fmt.Errorf("start Postgres in %s: %w", c.dir, err)
	}
	return s, nil
}

// URL returns the address of the database for pgx, psql and every other client.
func (s *Server) URL() string { return s.URLOf(s.cluster.database) }

// URLOf returns the address of another database of the same server.
func (s *Server) URLOf(database string) string { return s.cluster.url(database) }

// Shared reports whether another process started the server and will stop it.
func (s *Server) Shared() bool { return s.process == nil }

// Version returns the version of the binaries, for instance "15.18".
func (s *Server) Version() string { return s.cluster.binaries.Version.String() }

// LogFile returns the file of the server's log, which each start replaces.
func (s *Server) LogFile() string { return s.cluster.logFile() }

// Done is closed when the server has ended. For a shared server it is never closed.
func (s *Server) Done() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.Done()
}

// Stop ends the server. It cuts off open sessions and keeps everything committed. It
// returns once the server has ended, with an error only if a kill was needed. It does not
// stop a shared server. A second call is no error.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	err := s.process.Stop()
	s.log.Info("postgres stopped", "dir", s.cluster.dir)
	return err
}

func (s *Server) start(ctx context.Context, o Options) error {
	running, err := s.cluster.running(ctx, o.Exclusive)
	if err != nil {
		return err
	}
	if !running {
		if err := s.launch(ctx, o); err != nil {
			return err
		}
	}
	if err := s.cluster.createDatabase(ctx); err != nil {
		_ = s.Stop()
		return err
	}
	s.log.Info("postgres ready", "version", s.Version(), "dir", s.cluster.dir, "already_running", running)
	return nil
}

func (s *Server) launch(ctx context.Context, o Options) error {
	if err := s.cluster.prepare(ctx); err != nil {
		return err
	}
	process, err := child.Start(child.Spec{
		Path:    filepath.Join(s.cluster.binaries.Dir, "postgres"),
		Args:    serverArgs(s.cluster, o),
		Env:     environment(os.Environ()),
		Dir:     s.cluster.dir,
		LogFile: s.cluster.logFile(),
		Account: s.cluster.account,
		// SIGINT is Postgres' fast shutdown, SIGQUIT its immediate one.
		OnDeath: syscall.SIGINT,
		Stop: []child.StopSignal{
			{Signal: os.Interrupt, Wait: 10 * time.Second},
			{Signal: syscall.SIGQUIT, Wait: 5 * time.Second},
		},
	})
	if err != nil {
		return err
	}
	s.process = process
	if err := s.cluster.ready(ctx, process.Done()); err != nil {
		_ = process.Stop()
		return fmt.Errorf("%w; its log ends: %s", err, tail(s.cluster.logFile()))
	}
	return nil
}

func serverArgs(c cluster, o Options) []string {
	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": c.socketDir,
		"unix_socket_permissions": "0700",
		"port":                    strconv.Itoa(port),
		"max_connections":         "200",
		"log_destination":         "stderr",
		"logging_collector":       "off",
	}
	if o.Volatile {
		settings["fsync"] = "off"
		settings["full_page_writes"] = "off"
		settings["synchronous_commit"] = "off"
	}
	maps.Copy(settings, o.Settings)
	args := []string{"-D", c.dataDir()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// environment returns our environment without the variables that would misdirect a server
// or its tools: the user's PGPORT or PGDATA, a locale that is not installed.
func environment(ours []string) []string {
	env := slices.DeleteFunc(slices.Clone(ours), func(entry string) bool {
		return strings.HasPrefix(entry, "PG") || strings.HasPrefix(entry, "LC_") || strings.HasPrefix(entry, "LANG")
	})
	return append(env, "LC_ALL=C")
}

// url writes the socket's directory as a parameter, which every client understands.
func (c cluster) url(database string) string {
	query := url.Values{"host": {c.socketDir}, "port": {strconv.Itoa(port)}, "user": {superuser}}
	return "postgres:///" + url.PathEscape(database) + "?" + query.Encode()
}

// tail returns the last line of a log, for an error of one line.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
