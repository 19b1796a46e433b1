package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"odastream/internal/embedded"
	"odastream/internal/host/flock"
	"odastream/internal/host/pgserver"
)

// Names in the state directory of a source.
const (
	liveDir     = "live"
	simDir      = "sim"
	lockFile    = "up.lock"
	placeFile   = "up.json"
	logFile     = "up.log"
	journalFile = "parliament.journal"
	postgresDir = "postgres"
	brokerDir   = "kafka"
)

// BusyError says that another trial uses the directory.
type BusyError struct {
	Dir string
	PID int // of the other trial, 0 if unknown
}

// Error says what to do.
func (e *BusyError) Error() string {
	who := ""
	if e.PID > 0 {
		who = fmt.Sprintf(" (process %d)", e.PID)
	}
	return fmt.Sprintf("another \"odastream up\" runs on %s%s: stop it first, or give this one a directory of its own with --dir", e.Dir, who)
}

// OtherParliamentError says that a directory's parliament has another seed or scale than
// the wanted one.
type OtherParliamentError struct {
	Journal  string
	Is, Want embedded.Origin
}

// Error says what to do.
func (e *OtherParliamentError) Error() string {
	return fmt.Sprintf("the simulated parliament in %s was made with --seed %d --scale %g, not with --seed %d --scale %g: "+
		"leave the two out to go on with it, or start another one with --dir",
		filepath.Dir(e.Journal), e.Is.Seed, e.Is.Scale, e.Want.Seed, e.Want.Scale)
}

// DefaultDir is the default state directory of this user's trials.
func DefaultDir() (string, error) { return pgserver.StateDir("up") }

// Place has the addresses of a running trial.
type Place struct {
	PID         int       `json:"pid"`
	Started     time.Time `json:"started"`
	Simulated   bool      `json:"simulated"`
	Source      string    `json:"source"` // address of the API
	Brokers     string    `json:"kafka_brokers"`
	DatabaseURL string    `json:"database_url"`
	Poller      string    `json:"poller,omitempty"` // host:port of its endpoints; "" if they are off
	Sink        string    `json:"sink,omitempty"`
	Gateway     string    `json:"gateway,omitempty"` // host:port that it answers at
}

// Running finds the trial that runs on dir. If two do, it returns the one on the live
// API.
func Running(dir string) (Place, bool) {
	for _, kind := range []string{liveDir, simDir} {
		if p, ok := readPlace(filepath.Join(dir, kind)); ok && alive(p.PID) {
			return p, true
		}
	}
	return Place{}, false
}

func readPlace(dir string) (p Place, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, placeFile))
	if err != nil {
		return Place{}, false
	}
	return p, json.Unmarshal(text, &p) == nil
}

// state is a locked state directory.
type state struct {
	dir  string
	lock *flock.Lock
	log  *os.File
}

// openState creates and locks the state directory of one source.
func openState(dir string, simulated bool) (*state, error) {
	kind := liveDir
	if simulated {
		kind = simDir
	}
	s := &state{dir: filepath.Join(dir, kind)}
	// If we are root, Postgres runs as another account, which must be able to enter.
	if err := os.MkdirAll(s.dir, 0o755); err != nil { //nolint:gosec // what is private lies in directories of its own below
		return nil, fmt.Errorf("create state directory: %w (--dir chooses another)", err)
	}
	var err error
	s.lock, err = flock.Try(s.path(lockFile))
	if errors.Is(err, flock.ErrLocked) {
		other, _ := readPlace(s.dir)
		return nil, &BusyError{Dir: s.dir, PID: other.PID}
	}
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w (--dir chooses another)", err)
	}
	if s.log, err = os.OpenFile(s.path(logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		s.lock.Unlock()
		return nil, fmt.Errorf("open log: %w", err)
	}
	return s, nil
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

// handler logs to the directory's log file.
func (s *state) handler() slog.Handler {
	return slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo})
}

// announce writes the trial's addresses for other commands; close removes them.
func (s *state) announce(p Place) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("announce the trial: %w", err)
	}
	if err := os.WriteFile(s.path(placeFile), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("announce the trial: %w", err)
	}
	return nil
}

func (s *state) close() {
	_ = os.Remove(s.path(placeFile)) // Running checks the process id of a stale one
	_ = s.log.Close()
	s.lock.Unlock()
}
