package embedded

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/machine"
	"odastream/schema"
)

func TestParliamentHasTheSameRowsAfterARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	first := open(t, path, Origin{Seed: 7, Scale: 0.05})
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for i := range 400 {
		runEvents(t, first, at.Add(time.Duration(i)*1234567890))
	}
	want := rows(first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	again := open(t, path, Origin{Seed: 1, Scale: 1})
	if got := again.Origin(); got != (Origin{Seed: 7, Scale: 0.05}) {
		t.Errorf("origin after a restart = %+v, want that of the first start", got)
	}
	if again.Events() != 400 {
		t.Errorf("Events() = %d, want 400", again.Events())
	}
	if diff := cmp.Diff(want, rows(again)); diff != "" {
		t.Errorf("rows after a restart (-want +got):\n%s", diff)
	}
	runEvents(t, again, at.Add(time.Hour))
	if cmp.Equal(want, rows(again)) {
		t.Error("no event after the restart")
	}
}

func TestRunWritesEventsToTheJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	p := open(t, path, Origin{Seed: 1, Scale: 0.02})
	before := rows(p)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, time.Millisecond) }()
	machine.Until(t, "an event", func() bool { return !cmp.Equal(before, rows(p)) })
	cancel()
	if err := <-done; err != nil {
		t.Fatalf("Run: %v", err)
	}
	want := rows(p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rows(open(t, path, Origin{}))); diff != "" {
		t.Errorf("rows after a restart (-want +got):\n%s", diff)
	}
}

func TestATruncatedJournalLosesOnlyItsLastEvent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte("odasim seed 3 scale 0.5\n1700000000000000000\n17000"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, past, err := openJournal(path, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []time.Time{time.Unix(1700000000, 0)}; !cmp.Equal(past, want) {
		t.Errorf("events = %v, want %v", past, want)
	}
	if err := j.add(time.Unix(1700000001, 0)); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	_, past, err = openJournal(path, Origin{})
	if err != nil || len(past) != 2 {
		t.Errorf("after another event: %d events, error %v; want 2", len(past), err)
	}
}

func TestBrokenJournalIsNamed(t *testing.T) {
	t.Parallel()
	for claim, text := range map[string]string{
		"a first line of something else": "hello\n",
		"an event that is not a time":    "odasim seed 1 scale 1\nyesterday\n",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := openJournal(path, Origin{}); err == nil {
				t.Errorf("openJournal of %q = nil", text)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("the file is gone: %v", err)
			}
		})
	}
}

func TestSavedOrigin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	if _, ok := SavedOrigin(path); ok {
		t.Error("SavedOrigin of a missing file is ok")
	}
	want := Origin{Seed: 42, Scale: 0.01}
	if err := open(t, path, want).Close(); err != nil {
		t.Fatal(err)
	}
	if got, ok := SavedOrigin(path); !ok || got != want {
		t.Errorf("SavedOrigin = %+v, %v, want %+v", got, ok, want)
	}
}

func open(t *testing.T, path string, fresh Origin) *Parliament {
	t.Helper()
	p, err := StartParliament(t.Context(), path, fresh)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.http.Close() })
	return p
}

func runEvents(t *testing.T, p *Parliament, at time.Time) {
	t.Helper()
	if err := p.journal.add(at); err != nil {
		t.Fatal(err)
	}
	p.step(at)
}

func rows(p *Parliament) map[string][]string {
	all := map[string][]string{}
	for _, e := range schema.Entities() {
		for _, row := range p.sim.Rows(e.Name) {
			all[e.Name] = append(all[e.Name], string(row))
		}
	}
	return all
}
