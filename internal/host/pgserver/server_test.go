package pgserver_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"odastream/internal/host/child"
	"odastream/internal/host/pgserver"
	"odastream/internal/test/pgtest"
)

func TestStateSurvivesStopAndStart(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	first := start(t, pgserver.Options{Dir: dir})
	pgtest.Exec(t, first.URL(), "CREATE TABLE t AS SELECT 'Ægir' AS name")
	if err := first.Stop(); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if err := first.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	<-first.Done()

	second := start(t, pgserver.Options{Dir: dir})
	if got, want := pgtest.Value(t, second.URL(), "SELECT lower(name) FROM t"), "ægir"; got != want {
		t.Errorf("lower(name) after a restart = %q, want %q", got, want)
	}
}

func TestFsyncIsOnUnlessVolatile(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		volatile bool
		want     string
	}{
		"a server that keeps data has fsync": {false, "on"},
		"a volatile server has none":         {true, "off"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := start(t, pgserver.Options{Dir: stateDir(t), Volatile: c.volatile})
			if got := pgtest.Value(t, s.URL(), "SHOW fsync"); got != c.want {
				t.Errorf("fsync = %s, want %s", got, c.want)
			}
			if got := pgtest.Value(t, s.URL(), "SHOW listen_addresses"); got != "" {
				t.Errorf("listen_addresses = %q, want none: the socket is the only way in", got)
			}
		})
	}
}

func TestSecondStartUsesTheRunningServer(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	owner := start(t, pgserver.Options{Dir: dir})
	guest := start(t, pgserver.Options{Dir: dir, Database: "other"})
	if owner.Shared() || !guest.Shared() {
		t.Fatalf("Shared = %v for the owner, %v for the guest, want false, true", owner.Shared(), guest.Shared())
	}
	if err := guest.Stop(); err != nil {
		t.Fatalf("Stop of the guest: %v", err)
	}
	if got := pgtest.Value(t, guest.URL(), "SELECT current_database()"); got != "other" {
		t.Errorf("database after the guest's Stop = %q, want it to still exist", got)
	}
}

func TestExclusiveStopsTheRunningServer(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	old := start(t, pgserver.Options{Dir: dir})
	next := start(t, pgserver.Options{Dir: dir, Exclusive: true})
	<-old.Done()
	if next.Shared() {
		t.Error("Shared after an exclusive start = true, want a server of our own")
	}
}

func TestAStalePIDFileIsIgnored(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	first := start(t, pgserver.Options{Dir: dir})
	pidFile := filepath.Join(dir, "data", "postmaster.pid")
	left, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	// Another process, this test, now has the process id.
	_, rest, _ := strings.Cut(string(left), "\n")
	if err := os.WriteFile(pidFile, []byte("1\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	own(t, pidFile)
	start(t, pgserver.Options{Dir: dir})
}

func TestVariablesOfLibpqAreIgnored(t *testing.T) {
	for name, value := range map[string]string{
		"PGPORT": "1", "PGDATA": "/nowhere", "PGOPTIONS": "-c fsync=off", "LC_ALL": "xx_XX", "LANG": "xx_XX",
	} {
		t.Setenv(name, value)
	}
	s := start(t, pgserver.Options{Dir: stateDir(t)})
	t.Setenv("PGOPTIONS", "") // pgx reads it too
	if got := pgtest.Value(t, s.URL(), "SHOW data_directory"); strings.HasPrefix(got, "/nowhere") {
		t.Errorf("data_directory = %s, want the state directory", got)
	}
}

func TestAnErrorNamesTheAccountThatCannotEnterTheDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("NOT ROOT: Postgres runs as the current user")
	}
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: filepath.Join(t.TempDir(), "state")})
	if err == nil || !strings.Contains(err.Error(), "allowed to enter") {
		t.Errorf("Start below a directory of root = %v, want who must be allowed to enter", err)
	}
}

func TestALongDirectoryHasASocket(t *testing.T) {
	t.Parallel()
	s := start(t, pgserver.Options{Dir: filepath.Join(stateDir(t), strings.Repeat("d", 90))})
	if got := pgtest.Value(t, s.URL(), "SELECT 'here'"); got != "here" {
		t.Errorf("query = %q", got)
	}
}

func TestPsqlReadsTheURL(t *testing.T) {
	t.Parallel()
	s := start(t, pgserver.Options{Dir: stateDir(t)})
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("PSQL MISSING: the address is tried with pgx only")
	}
	out, err := exec.CommandContext(t.Context(), psql, "-XAtc", "SELECT current_database()", s.URL()).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "odastream" {
		t.Errorf("psql %s = %q, %v, want odastream", s.URL(), got, err)
	}
}

func TestErrorsAreOneLineWithTheRemedy(t *testing.T) {
	t.Setenv("PG_BIN_DIR", t.TempDir())
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: stateDir(t)})
	if _, ok := errors.AsType[*pgserver.NoBinariesError](err); !ok {
		t.Fatalf("Start without binaries = %v, want *NoBinariesError", err)
	}
	if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "PG_BIN_DIR") {
		t.Errorf("error = %q, want one line that names PG_BIN_DIR", text)
	}
	if _, err := pgserver.Start(t.Context(), pgserver.Options{}); err == nil {
		t.Error("Start without a directory succeeded")
	}
}

func TestAClusterOfAnotherVersionIsNotChanged(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir})
	missing, ok := errors.AsType[*pgserver.NoBinariesError](err)
	if !ok || missing.Major != "9" {
		t.Errorf("Start on a cluster of version 9 = %v, want *NoBinariesError for 9", err)
	}
}

func TestStartErrorEndsWithTheServersLog(t *testing.T) {
	t.Parallel()
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: stateDir(t), Settings: map[string]string{"no_such": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such") {
		t.Errorf("Start with a bad setting = %v, want what the server's log says", err)
	}
}

func start(t *testing.T, o pgserver.Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("Start(%+v): %v", o, err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return s
}

// stateDir returns a directory that the server's account can enter too. For root it
// cannot enter one of t.TempDir.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgserver-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	own(t, dir)
	return dir
}

func own(t *testing.T, path string) {
	t.Helper()
	account, err := child.Unprivileged("postgres", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	if err := account.Own(path); err != nil {
		t.Fatal(err)
	}
}
