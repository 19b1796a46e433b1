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

// startTimeout bounds a start; recovery after a crash is the longest part.
const startTimeout = 2 * time.Minute

// Options says which server to start.
type Options struct {
	// Dir keeps the cluster, its socket and its log between starts; required.
	// It is made where missing. As root it must lie where the account
	// "postgres" (or "nobody") can go, see StateDir.
	Dir string
	// Database is made where missing; "" means "odastream".
	Database string
	// Settings are added to the server's, for instance "max_connections".
	// They are not used when a server already runs.
	Settings map[string]string
	// Volatile turns fsync off. It gains about a tenth and risks the whole
	// cluster in a power cut: for clusters that may be thrown away only.
	Volatile bool
	// Exclusive stops a server that already runs on Dir instead of using it.
	Exclusive bool
	// Log gets one line at start and one at stop; nil discards them.
	Log *slog.Logger
}

// Server is a running Postgres server. It is safe for concurrent use.
type Server struct {
	cluster cluster
	process *child.Process // nil: another process started it
	log     *slog.Logger
}

// Start starts a server on o.Dir, made anew where the directory has none, and
// returns once it accepts connections and has the database. If a server runs
// there already it returns that one, which Stop then leaves alone. The caller
// calls Stop; if the process dies before, the server stops by itself (on Linux;
// elsewhere it goes on running and is found by the next Start).
//
// The error is one line that says what to do: *NoBinariesError where the
// machine has no Postgres.
func Start(ctx context.Context, o Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := newCluster(ctx, o)
	if err != nil {
		return nil, err
	}
	// Two processes that start at once would both make the cluster.
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

// URL is the address of the database for pgx, psql and every other client.
func (s *Server) URL() string { return s.URLOf(s.cluster.database) }

// URLOf is the address of another database of the same server.
func (s *Server) URLOf(database string) string { return s.cluster.url(database) }

// Shared says that another process started the server and will stop it.
func (s *Server) Shared() bool { return s.process == nil }

// Version is the version of the binaries, for instance "15.18".
func (s *Server) Version() string { return s.cluster.binaries.Version.String() }

// LogFile is where the server writes its log, anew at each start.
func (s *Server) LogFile() string { return s.cluster.logFile() }

// Done is closed when the server has ended. It never is for a shared one.
func (s *Server) Done() <-chan struct{} {
	if s.process == nil {
		return nil
	}
	return s.process.Done()
}

// Stop ends the server: open sessions are cut off and everything committed is
// kept. It returns once the server has ended, and an error only if it had to be
// killed. A shared server is left running; a second call is no error.
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

// environment is ours without what would turn a server or its tools elsewhere:
// a PGPORT or PGDATA of the user's, a locale that is not installed.
func environment(ours []string) []string {
	env := slices.DeleteFunc(slices.Clone(ours), func(entry string) bool {
		return strings.HasPrefix(entry, "PG") || strings.HasPrefix(entry, "LC_") || strings.HasPrefix(entry, "LANG")
	})
	return append(env, "LC_ALL=C")
}

// url writes the socket's directory as a parameter, which every client reads.
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
