package kafkaserver

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"odastream/internal/host/child"
)

// stopTimeout bounds a stop on a busy machine; on an idle one it takes 1 to 3 s.
const stopTimeout = 5 * time.Minute

// Options says which broker to start.
type Options struct {
	// Dir keeps the broker's data, ports and log; required. It is made if it is missing.
	// Two brokers must not share it at one time.
	Dir string
	// Properties are added to the broker's server.properties, or override its
	// own. They hold for this start only.
	Properties map[string]string
	// Log gets a line at start and a line at stop; nil discards them.
	Log *slog.Logger
}

// Server is a broker, running or ended. It is safe for concurrent use.
type Server struct {
	layout  layout
	process *child.Process
	log     *slog.Logger
}

// Start starts a broker on o.Dir, which it formats if it is new, and returns once the
// broker answers. If a broker was stopped or killed on the directory, it comes back with
// the same ports, topics and offsets. The caller ends it with Stop or Kill; the kernel
// kills it when this process dies (on Linux).
//
// The error wraps ErrUnavailable if the machine cannot run Kafka at all.
func Start(ctx context.Context, o Options) (*Server, error) {
	installed, err := Install(ctx)
	if err != nil {
		return nil, err
	}
	p, err := openLayout(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	s := &Server{layout: p, log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.start(ctx, installed, o.Properties); err != nil {
		return nil, fmt.Errorf("start Kafka in %s: %w", p.dir, err)
	}
	s.log.Info("kafka ready", "broker", p.address(), "dir", p.dir)
	return s, nil
}

// Brokers returns the value for KAFKA_BROKERS: one address.
func (s *Server) Brokers() []string { return []string{s.layout.address()} }

// LogFile returns the file of the broker's warnings and errors, which each start
// replaces.
func (s *Server) LogFile() string { return s.layout.logFile() }

// Done is closed when the broker has ended.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Stop shuts the broker down in order and returns once it has ended, with an error if it
// had to be killed. A second call is no error.
func (s *Server) Stop() error {
	err := s.process.Stop()
	s.log.Info("kafka stopped", "broker", s.layout.address())
	return err
}

// Kill ends the broker with SIGKILL, like a crash, and returns once it has ended. Start
// on the same directory brings it back.
func (s *Server) Kill() { s.process.Kill() }

func (s *Server) start(ctx context.Context, installed Installation, properties map[string]string) error {
	if err := s.layout.configure(properties); err != nil {
		return err
	}
	if err := s.layout.format(ctx, installed); err != nil {
		return err
	}
	process, err := child.Start(child.Spec{
		Path:    installed.Java,
		Args:    append(s.layout.javaArgs(installed), "-Xmx512m", "kafka.Kafka", s.layout.configFile()),
		Env:     environment(),
		Dir:     s.layout.dir,
		LogFile: s.layout.logFile(),
		// The data survive a kill (see the package's invariant), and a test's broker has
		// no work to finish.
		OnDeath: syscall.SIGKILL,
		Stop:    []child.StopSignal{{Signal: syscall.SIGTERM, Wait: stopTimeout}},
	})
	if err != nil {
		return err
	}
	s.process = process
	if err := ready(ctx, s.Brokers(), process.Done()); err != nil {
		process.Kill()
		return fmt.Errorf("%w; its log says: %s", err, s.layout.errorsInLog())
	}
	return nil
}

// format makes the data directory a KRaft one, with this broker as its only voter, if
// that is not done yet.
func (p layout) format(ctx context.Context, installed Installation) error {
	if isFile(filepath.Join(p.dataDir(), "meta.properties")) {
		return nil
	}
	// If killed half-way, it leaves files that the tool refuses to overwrite.
	if err := os.RemoveAll(p.dataDir()); err != nil {
		return fmt.Errorf("clear data: %w", err)
	}
	args := append(p.javaArgs(installed), "kafka.tools.StorageTool", "format", "--standalone",
		"-t", clusterID(), "-c", p.configFile())
	cmd := exec.CommandContext(ctx, installed.Java, args...)
	cmd.Env = environment()
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format data: %w: %s", err, strings.Join(strings.Fields(string(output)), " "))
	}
	return nil
}

func (p layout) javaArgs(installed Installation) []string {
	return []string{
		"-cp", filepath.Join(installed.Jars, "*"),
		"-Dlog4j2.configurationFile=" + p.logConfigFile(),
		"-XX:+ExitOnOutOfMemoryError",
	}
}

// environment returns our environment without the user's JVM options, which would change
// the broker under test.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}
