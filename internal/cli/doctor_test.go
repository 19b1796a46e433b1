package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"odastream/internal/test/stand"
	"odastream/oda"
)

// runDoctor runs the command and returns its exit status and output.
func runDoctor(t *testing.T, environ []string, args ...string) (int, string) {
	t.Helper()
	var out, errs bytes.Buffer
	status := Run(t.Context(), append([]string{"doctor"}, args...), environ, &out, &errs)
	return status, out.String() + errs.String()
}

// line is a line of doctor --json.
type line struct {
	Part string
	oda.Finding
}

// lines runs doctor --json and returns its findings by part and name.
func lines(t *testing.T, environ []string, args ...string) (int, map[string]line) {
	t.Helper()
	status, out := runDoctor(t, environ, append(args, "--json")...)
	found := map[string]line{}
	for text := range strings.Lines(out) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("line %q: %v", text, err)
		}
		found[l.Part+" "+l.Name] = l
	}
	return status, found
}

func TestDoctorFindsAHealthyWorldHealthy(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	status, out := runDoctor(t, s.Environ("ODA_ENTITIES=Sag,Stemme"))
	if status != 0 {
		t.Fatalf("doctor = %d:\n%s", status, out)
	}
	for _, want := range []string{
		"postgres postgres", "all are applied", "kafka 127.0.0.1", "4 of 4 are missing: " + s.Kafka.TopicPrefix + "sag", "source http://127.0.0.1",
		"page-cap", "stamps are compared as ticks", " 0 trouble\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if n := s.Sim.Requests(); n > 12 {
		t.Errorf("%d requests to the source, want about ten", n)
	}
}

func TestDoctorFullAsksEverySet(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	status, found := lines(t, s.Environ(), "--full")
	if status != 0 || !strings.Contains(found["source filter-by-stamp"].Seen, "sets asked: 45") {
		t.Errorf("doctor --full = %d, %+v, want 0 and 45 sets asked", status, found["source filter-by-stamp"])
	}
	if n := s.Sim.Requests(); n < 3*45 {
		t.Errorf("%d requests, want three for each set", n)
	}
}

func TestTroubleIsAFault(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	status, out := runDoctor(t, s.Environ("ODA_ENTITIES=Sag", "DATABASE_URL=postgres://u:secret@127.0.0.1:1/x", "MIGRATE=off"))
	if status != 1 || !strings.Contains(out, "  trouble  reachable") || !strings.Contains(out, "to do: start Postgres") || !strings.Contains(out, " 1 trouble\n") {
		t.Errorf("doctor = %d, want 1 and what to do:\n%s", status, out)
	}
	if strings.Contains(out, "secret") {
		t.Errorf("the password is shown:\n%s", out)
	}
	status, found := lines(t, s.Environ("ODA_ENTITIES=Sag", "DATABASE_URL="))
	if f := found["postgres settings"]; status != 1 || f.Verdict != oda.VerdictTrouble {
		t.Errorf("doctor --json = %d, %+v, want 1 and the trouble", status, f)
	}
}

func TestDoctorRefusesBadSettings(t *testing.T) {
	t.Parallel()
	wrong := []string{"ODA_RATE=fast", "MIGRATE=maybe", "POLL_LEASE=1s", "SCAN_EVERY=daily", "SINK_BATCH_ROWS=0", "CACHE_GIN=perhaps", "HISTORY_KEEP=-1h"}
	status, out := runDoctor(t, append(wrong, "KAFKA_BROKERS=127.0.0.1:1"))
	for _, pair := range wrong {
		if name, _, _ := strings.Cut(pair, "="); status != 2 || !strings.Contains(out, name+" is ") {
			t.Errorf("doctor with %s = %d, %q, want 2 and the variable", pair, status, out)
		}
	}
}
