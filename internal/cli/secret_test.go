package cli

import (
	"bytes"
	"strings"
	"testing"

	"odastream/internal/daemon"
)

// Every command that reads an address, with a malformed one and with one at which
// nothing answers.
func TestCommandsShowNoSecret(t *testing.T) {
	t.Parallel()
	const (
		readable = "postgres://me:hunter22@127.0.0.1:1/x"
		broken   = " postgres://me:hunter22@127.0.0.1:1/x?sslmode=disable"
		source   = "ODA_URL=http://me:hunter22@127.0.0.1:1/api"
	)
	for _, line := range []string{
		"doctor", "status", "migrate --dry-run", "verify Sag", "export Sag", "dlq list", "up --source http://me:hunter22@source.test/api",
	} {
		for claim, tc := range map[string]struct {
			environ []string
			bad     bool
		}{
			"nobody answers":             {[]string{"DATABASE_URL=" + readable, source}, false},
			"DATABASE_URL is not right":  {[]string{"DATABASE_URL=" + broken, source}, true},
			"ODA_URL is not right":       {[]string{"DATABASE_URL=" + readable, "ODA_URL=me:hunter22@source.test/api"}, false},
			"KAFKA_BROKERS is not right": {[]string{"DATABASE_URL=" + readable, "KAFKA_BROKERS=sasl://me:hunter22@127.0.0.1:1", source}, false},
		} {
			t.Run(line+": "+claim, func(t *testing.T) {
				t.Parallel()
				var out bytes.Buffer
				environ := append([]string{"KAFKA_BROKERS=127.0.0.1:1"}, tc.environ...)
				got := Run(t.Context(), strings.Fields(line), environ, &out, &out)
				if got == daemon.ExitDone || tc.bad && got != daemon.ExitBadSettings {
					t.Errorf("exit status %d: %s", got, out.String())
				}
				if strings.Contains(out.String(), "hunter") {
					t.Errorf("it shows a secret: %s", out.String())
				}
			})
		}
	}
}

// An error may hold what somebody else wrote.
func TestATerminalObeysNoErrorText(t *testing.T) {
	t.Parallel()
	var out, said bytes.Buffer
	args := []string{"export", "Sag", "--out", "/no\x1b[2J/such\u202e/directory"}
	if status := Run(t.Context(), args, []string{"DATABASE_URL=postgres://127.0.0.1:1/x"}, &out, &said); status != 1 {
		t.Fatalf("export into a directory that is not there = %d:\n%s", status, &said)
	}
	if text := said.String(); strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, "/no\ufffd[2J/such\ufffd/directory") {
		t.Errorf("export says %q, want the name without its controls", text)
	}
}
