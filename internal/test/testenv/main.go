// Testenv runs a command with one Postgres and one Apache Kafka for all its test
// processes:
//
//	go run ./internal/test/testenv -- go test ./...
//
// Invariant: when it returns, the servers that it started have stopped, and its exit
// status is the command's. Their files, and those of the tests, lie in memory where the
// machine has enough of it. Without Java the command still runs, and its tests are skipped
// or fail as package kafkatest says. It knows nothing of tests.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"odastream/internal/test/kafkaserver"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
)

const usage = `usage: testenv [-no-kafka] -- COMMAND [ARGUMENT...]

Starts a Postgres and an Apache Kafka, names them to COMMAND in
ODASTREAM_TEST_DATABASE_URL and ODASTREAM_TEST_KAFKA, and stops them after it.
Servers that these variables name already are used as they are.
`

// stopTimeout is how long the command has after a signal before it is killed.
const stopTimeout = 10 * time.Second

func main() {
	environ, release := inMemory(os.Environ(), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	status := run(context.Background(), os.Args[1:], environ, os.Stdout, os.Stderr)
	release()
	os.Exit(status)
}

// run returns the command's exit status, 1 if no server can be started, or 2 for a bad
// command line.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	withKafka := true
	if len(args) > 0 && args[0] == "-no-kafka" {
		withKafka, args = false, args[1:]
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		fmt.Fprint(stderr, usage)
		return 2
	}
	s := servers{environ: environ, log: slog.New(slog.NewTextHandler(stderr, nil))}
	defer s.stop()
	if err := s.start(ctx, withKafka); err != nil {
		fmt.Fprintf(stderr, "testenv: %v\n", err)
		return 1
	}
	return command(ctx, args, s.environ, stdout, stderr)
}

// servers are the servers that were started, and the environment that names them.
type servers struct {
	environ []string
	stops   []func() error
	log     *slog.Logger
}

func (s *servers) start(ctx context.Context, withKafka bool) error {
	if !s.names(pgtest.EnvURL) {
		server, err := pgtest.Start(ctx)
		if err != nil {
			return err
		}
		s.started("postgres", pgtest.EnvURL, server.Running.URL(), server.Stop)
	}
	if !withKafka {
		s.environ = append(s.environ, kafkatest.EnvBrokers+"=none")
		return nil
	}
	if s.names(kafkatest.EnvBrokers) {
		return nil
	}
	server, err := kafkatest.Start(ctx)
	if errors.Is(err, kafkaserver.ErrUnavailable) {
		// The tests that need it decide whether that is a fault.
		s.log.Warn("no real kafka", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	s.started("kafka", kafkatest.EnvBrokers, strings.Join(server.Running.Brokers(), ","), server.Stop)
	return nil
}

func (s *servers) started(server, name, address string, stop func() error) {
	s.log.Info("server started", "server", server, name, address)
	s.environ = append(s.environ, name+"="+address)
	s.stops = append(s.stops, stop)
}

func (s *servers) names(name string) bool {
	for _, entry := range s.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value != ""
		}
	}
	return false
}

func (s *servers) stop() {
	for _, stop := range s.stops {
		if err := stop(); err != nil {
			s.log.Warn("server did not stop", "err", err)
		}
	}
}

func command(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, os.Stdin, stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopTimeout
	err := cmd.Run()
	if err == nil {
		return 0
	}
	// The status of a command that a signal ended is -1.
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
		return exit.ExitCode()
	}
	fmt.Fprintf(stderr, "testenv: run %s: %v\n", args[0], err)
	return 1
}
