package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
)

func TestCommandGetsTheServersAddresses(t *testing.T) {
	t.Parallel()
	kafkatest.Require(t)
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"--", "/bin/sh", "-c", `echo "$ODASTREAM_TEST_DATABASE_URL|$ODASTREAM_TEST_KAFKA"`},
		bare(), &stdout, &stderr)
	url, brokers, _ := strings.Cut(strings.TrimSpace(stdout.String()), "|")
	if status != 0 || !strings.HasPrefix(url, "postgres://") || !strings.HasPrefix(brokers, "127.0.0.1:") {
		t.Fatalf("run = %d with %q and %q, want 0 and two addresses\n%s", status, url, brokers, &stderr)
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		_ = conn.Close(t.Context())
		t.Error("Postgres still runs after the command")
	}
}

func TestExitStatusIsThatOfTheCommand(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		args []string
		want int
	}{
		"success":                       {[]string{"--", "/bin/true"}, 0},
		"failure":                       {[]string{"--", "/bin/sh", "-c", "exit 7"}, 7},
		"an exit status without dashes": {[]string{"/bin/sh", "-c", "exit 3"}, 3},
		"a program not there: 1":        {[]string{"--", "/no/such/program"}, 1},
		"no command: 2":                 {nil, 2},
		"an unknown flag: 2":            {[]string{"-x", "--", "/bin/true"}, 2},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			environ := append(bare(), pgtest.EnvURL+"=given", kafkatest.EnvBrokers+"=given")
			if got := run(t.Context(), c.args, environ, &stderr, &stderr); got != c.want {
				t.Errorf("run(%q) = %d, want %d\n%s", c.args, got, c.want, &stderr)
			}
		})
	}
}

func TestNamedServersAreUsed(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	environ := append(bare(), pgtest.EnvURL+"=mine", kafkatest.EnvBrokers+"=mine:1")
	run(t.Context(), []string{"--", "/bin/sh", "-c", `echo "$ODASTREAM_TEST_DATABASE_URL $ODASTREAM_TEST_KAFKA"`}, environ, &stdout, &stderr)
	if got, want := stdout.String(), "mine mine:1\n"; got != want {
		t.Errorf("addresses = %q, want %q", got, want)
	}
}

func TestNoKafkaReachesTheCommand(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	environ := append(bare(), pgtest.EnvURL+"=given")
	run(t.Context(), []string{"-no-kafka", "--", "/bin/sh", "-c", `echo "$ODASTREAM_TEST_KAFKA"`}, environ, &stdout, &stderr)
	if got := stdout.String(); got != "none\n" {
		t.Errorf("ODASTREAM_TEST_KAFKA with -no-kafka = %q, want none\n%s", got, &stderr)
	}
}

func TestInterruptReachesTheCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stdout := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	var stderr bytes.Buffer
	script := `trap 'exit 9' INT; echo ready; while :; do sleep 0.01; done`
	environ := append(bare(), pgtest.EnvURL+"=given", kafkatest.EnvBrokers+"=given")
	if got := run(ctx, []string{"--", "/bin/sh", "-c", script}, environ, stdout, &stderr); got != 9 {
		t.Errorf("run of a command that was interrupted = %d, want its 9\n%s", got, &stderr)
	}
}

// bare returns our environment without the servers that an outer testenv may have named.
func bare() []string { return []string{"PATH=" + os.Getenv("PATH")} }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
