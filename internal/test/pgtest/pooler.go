package pgtest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/host/child"
	"odastream/internal/test/machine"
)

// EnvRequire set to 1 makes a test fail, not skip, if there is no pgbouncer. CI=true does
// the same.
const EnvRequire = "ODASTREAM_REQUIRE_PGBOUNCER"

const pgbouncer = `[databases]
%s = host=%s port=%d user=%s%s

[pgbouncer]
listen_addr =
unix_socket_dir = %s
listen_port = %d
auth_type = any
pool_mode = %s
`

// poolerPort is part of the socket's name only.
const poolerPort = 6432

// Pooler returns a URL that leads to the database of the first one through a pgbouncer in
// a pool_mode, with Debian's defaults, which ends with the test. Without pgbouncer the
// test is skipped, or fails as EnvRequire says.
func Pooler(t testing.TB, to, mode string) string {
	t.Helper()
	program := findPooler(t)
	cfg, err := pgx.ParseConfig(to)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	password := ""
	if cfg.Password != "" {
		password = " password='" + cfg.Password + "'"
	}
	dir, account := poolerDir(t)
	settings := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(pgbouncer, cfg.Database, cfg.Host, cfg.Port, cfg.User, password, dir, poolerPort, mode)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	if err := account.Own(settings); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	log := filepath.Join(dir, "log")
	process, err := child.Start(child.Spec{
		Path: program, Args: []string{settings}, Dir: dir, LogFile: log, Account: account,
		OnDeath: syscall.SIGTERM, Stop: []child.StopSignal{{Signal: syscall.SIGTERM, Wait: 10 * time.Second}},
	})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { _ = process.Stop() })
	machine.Until(t, "pgbouncer to listen", func() bool {
		select {
		case <-process.Done():
			text, _ := os.ReadFile(log)
			t.Fatalf("pgtest: pgbouncer ended: %v\n%s", process.Err(), text)
		default:
		}
		_, err := os.Stat(filepath.Join(dir, fmt.Sprintf(".s.PGSQL.%d", poolerPort)))
		return err == nil
	})
	return fmt.Sprintf("postgres:///%s?host=%s&port=%d&user=%s", cfg.Database, url.QueryEscape(dir), poolerPort, url.QueryEscape(cfg.User))
}

// poolerDir makes a directory for a pgbouncer. t.TempDir's path may be too long for a
// socket, and is closed to the account that pgbouncer, which refuses root, runs as.
func poolerDir(t testing.TB) (string, *child.Account) {
	t.Helper()
	account, err := child.Unprivileged("postgres", "nobody")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	dir, err := os.MkdirTemp("", "pgb") //nolint:usetesting // see above
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := account.Own(dir); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return dir, account
}

// findPooler returns the program. Debian installs it outside an ordinary user's PATH.
func findPooler(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" || os.Getenv(EnvRequire) == "1" {
		t.Fatal(`pgtest: no pgbouncer on this machine: install it ("apt-get install pgbouncer")`)
	}
	t.Skip(`PGBOUNCER MISSING, this guarantee is not tested: install it ("apt-get install pgbouncer")`)
	return ""
}
