package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsageShowsNameDefaultAndRange(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	filled := program{DatabaseURL: "postgres://u:hunter22@db/x"}
	if err := Usage(&out, &filled); err != nil {
		t.Fatal(err)
	}
	want := `VARIABLE           DEFAULT         MEANING
DATABASE_URL       (required)      Postgres URL or DSN
HTTP_ADDR          :8080           address to serve; empty: none
BROKERS            localhost:9092  addresses
GIN                on              index (one of on, off)
TLS                false           speak TLS
RATE               5               requests a second (0 or more)
POLL_INTERVAL      5s              pause between polls (above 0s)
POLL_INTERVAL_MAX  5m              longest pause (1s or more)
POLL_BATCH_ROWS    1000            rows of a batch (1 to 100000)
POLL_BYTES         16MiB           bytes of a batch (1MiB to 64MiB)
TOKEN              (none)          a token (one of aaaa, bbbb)
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("Usage (-want +got):\n%s", diff)
	}
}

func TestRowsAreTheSameForDocuments(t *testing.T) {
	t.Parallel()
	rows := Rows(new(program))
	if got, want := len(rows), 11; got != want {
		t.Fatalf("Rows has %d rows, want %d", got, want)
	}
	if diff := cmp.Diff(Row{"POLL_INTERVAL", "5s", "pause between polls (above 0s)"}, rows[6]); diff != "" {
		t.Errorf("Rows[6] (-want +got):\n%s", diff)
	}
}

func TestWarningsNameTheNearest(t *testing.T) {
	t.Parallel()
	environ := []string{
		"POLL_INTERVALL=1s", "POLL_XYZQ=1", "PATH=/bin", "RATE=1", "POLL_INTERVAL=1s", "POLL_LEASE=15s",
	}
	got := Warnings(environ, new(program), []string{"POLL_", "RATE"}, []string{"POLL_LEASE"})
	want := []string{
		"POLL_INTERVALL is unknown and has no effect: is POLL_INTERVAL meant?",
		"POLL_XYZQ is unknown and has no effect",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Warnings (-want +got):\n%s", diff)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		value string
		want  []string
	}{
		"the password of a URL, not the URL":        {"postgres://u:hunter22@db/x", []string{"hunter22", "hunter22", "hunter22"}},
		"as written and decoded":                    {"postgres://u:p%40ss%2Fword@db/x", []string{"p@ss/word", "p%40ss%2Fword", "p%40ss%2Fword"}},
		"a password among the parameters":           {"postgres://db/x?password=hunter22", []string{"hunter22", "hunter22"}},
		"the password of a DSN":                     {"host=db password='hun ter' user=u", []string{"hun ter", "'hun ter'"}},
		"a value that is no URL is one whole":       {"hunter22", []string{"hunter22"}},
		"a URL without a password":                  {"postgres://u@db/x", nil},
		"what is too short to be looked for is not": {"abc", nil},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Secrets(&program{DatabaseURL: tc.value})); diff != "" {
				t.Errorf("Secrets(%s) (-want +got):\n%s", tc.value, diff)
			}
		})
	}
}
