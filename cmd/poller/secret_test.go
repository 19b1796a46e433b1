package main

import (
	"bytes"
	"strings"
	"testing"

	"odastream/internal/daemon"
)

// A secret in any variable, in any broken form, is in nothing that the program
// writes.
func TestBadSettingsShowNoSecret(t *testing.T) {
	t.Parallel()
	const database = "DATABASE_URL=postgres://me:hunter22@127.0.0.1:1/x"
	for claim, tc := range map[string]struct {
		environ []string
		names   string // a variable that is named as bad
	}{
		"a blank before DATABASE_URL":         {[]string{"DATABASE_URL= postgres://me:hunter22@127.0.0.1:1/x?sslmode=disable"}, "DATABASE_URL"},
		"a DATABASE_URL of another scheme":    {[]string{"DATABASE_URL=mysql://me:hunter22@127.0.0.1:1/x?a=b"}, "DATABASE_URL"},
		"an ODA_URL with a blank":             {[]string{database, "ODA_URL= http://me:hunter22@127.0.0.1:1/api"}, "ODA_URL"},
		"an ODA_URL of another scheme":        {[]string{database, "ODA_URL=ftp://hunter22@127.0.0.1:1/api"}, "ODA_URL"},
		"an ODA_URL without a scheme":         {[]string{database, "ODA_URL=me:hunter22@127.0.0.1:1/api"}, "ODA_URL"},
		"an ODA_URL with a key":               {[]string{database, "ODA_URL=http://127.0.0.1:1/api?key=hunter22"}, "ODA_URL"},
		"an ODA_URL that cannot be read":      {[]string{database, "ODA_URL=http://me:hunter22%zz@127.0.0.1:1/api"}, "ODA_URL"},
		"an ODA_URL with a slash in it":       {[]string{database, "ODA_URL=http://me:1/hunter22@127.0.0.1:1/api"}, "ODA_URL"},
		"brokers with a password":             {[]string{database, "KAFKA_BROKERS=me:hunter22@127.0.0.1:1"}, "KAFKA_BROKERS"},
		"brokers that are a URL":              {[]string{database, "KAFKA_BROKERS=sasl://hunter22/x"}, "KAFKA_BROKERS"},
		"a password without a mechanism":      {[]string{database, "KAFKA_SASL_PASSWORD=hunter22"}, "KAFKA_SASL_MECHANISM"},
		"a good address beside a bad setting": {[]string{database, "ODA_URL=http://me:hunter22@127.0.0.1:1/api", "ODA_RATE=x"}, "ODA_RATE"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			environ := append([]string{"HTTP_ADDR=", "LOG_LEVEL=debug"}, tc.environ...)
			if got := run(t.Context(), []string{"--once"}, environ, &out, &out); got != daemon.ExitBadSettings {
				t.Errorf("exit status %d, want %d: %s", got, daemon.ExitBadSettings, out.String())
			}
			if !strings.Contains(out.String(), tc.names) || strings.Contains(out.String(), "hunter") {
				t.Errorf("it says %q, want %s named and no secret", out.String(), tc.names)
			}
		})
	}
}

func TestAnOutageShowsNoSecret(t *testing.T) {
	t.Parallel()
	for claim, address := range map[string]string{
		"a URL":                "postgres://me:hunter22@127.0.0.1:1/x",
		"a URL with parameter": "postgres://127.0.0.1:1/x?user=me&password=hunter22",
		"a DSN":                "host=127.0.0.1 port=1 user=me password='hunter22' dbname=x",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			environ := []string{
				"HTTP_ADDR=", "LOG_LEVEL=debug", "DATABASE_URL=" + address, "ODA_URL=http://me:hunter22@127.0.0.1:1/api",
				"KAFKA_BROKERS=127.0.0.1:1", "KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=me", "KAFKA_SASL_PASSWORD=hunter22",
			}
			if got := run(t.Context(), []string{"--once"}, environ, &out, &out); got != daemon.ExitFault {
				t.Errorf("exit status %d, want %d: %s", got, daemon.ExitFault, out.String())
			}
			if !strings.Contains(out.String(), "reach Postgres") || strings.Contains(out.String(), "hunter") {
				t.Errorf("it says %q, want that Postgres cannot be reached, and no secret", out.String())
			}
		})
	}
}
