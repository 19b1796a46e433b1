package pgserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"odastream/internal/host/child"
)

const (
	superuser = "postgres"
	port      = 5432 // part of the socket's name only
	// maxSocket is the lowest limit of a socket's path on any system (macOS 104, Linux
	// 108), less the name and the final zero byte.
	maxSocket = 103 - len("/.s.PGSQL.5432.lock")
)

// cluster is the state on disk: one directory with data, socket and log.
type cluster struct {
	dir       string
	socketDir string
	database  string
	binaries  Binaries
	account   *child.Account // nil: ourselves
}

func newCluster(ctx context.Context, o Options) (cluster, error) {
	if o.Dir == "" {
		return cluster{}, errors.New("start Postgres: no directory given")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return cluster{}, fmt.Errorf("find directory %s: %w", o.Dir, err)
	}
	account, err := child.Unprivileged("postgres", "nobody")
	if err != nil {
		return cluster{}, err
	}
	c := cluster{dir: dir, socketDir: socketDir(dir), database: o.Database, account: account}
	if c.database == "" {
		c.database = "odastream"
	}
	if err := c.makeDirs(); err != nil {
		return cluster{}, fmt.Errorf("create state directory %s: %w", dir, err)
	}
	c.binaries, err = c.findBinaries(ctx)
	return c, err
}

// socketDir is in dir unless the kernel would refuse that path.
func socketDir(dir string) string {
	if inside := filepath.Join(dir, "run"); len(inside) <= maxSocket {
		return inside
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join("/tmp", fmt.Sprintf("odastream-%x", sum[:8]))
}

func (c cluster) dataDir() string { return filepath.Join(c.dir, "data") }
func (c cluster) logFile() string { return filepath.Join(c.dir, "postgres.log") }
func (c cluster) pidFile() string { return filepath.Join(c.dataDir(), "postmaster.pid") }

func (c cluster) makeDirs() error {
	for _, dir := range []string{c.dir, c.socketDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := c.account.Own(dir); err != nil {
			return err
		}
	}
	return nil
}

// findBinaries returns the newest of the machine, or those of the version that made the
// cluster, since no other version opens it.
func (c cluster) findBinaries(ctx context.Context) (Binaries, error) {
	text, err := os.ReadFile(filepath.Join(c.dataDir(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return FindBinaries(ctx, "")
	}
	if err != nil {
		return Binaries{}, fmt.Errorf("read version of the cluster: %w", err)
	}
	return FindBinaries(ctx, strings.TrimSpace(string(text)))
}

// prepare makes the cluster if it is missing.
func (c cluster) prepare(ctx context.Context) error {
	if _, err := os.Stat(c.dataDir()); err == nil {
		return nil
	}
	// It is made elsewhere and renamed. So after a kill it is made again.
	fresh := c.dataDir() + ".new"
	output, err := c.initdb(ctx, fresh, ctype())
	if err != nil {
		// Not every system has the UTF-8 character class table.
		output, err = c.initdb(ctx, fresh, "C")
	}
	if errors.Is(err, os.ErrPermission) && c.account != nil {
		return fmt.Errorf("create cluster as %s, which must be allowed to enter the directory: %w", c.account.Name, err)
	}
	if err != nil {
		return fmt.Errorf("create cluster: %w: %s", err, lastLine(output))
	}
	if err := os.Rename(fresh, c.dataDir()); err != nil {
		return fmt.Errorf("create cluster: %w", err)
	}
	return nil
}

// initdb trusts every client of the socket. Only the account and root may enter the
// socket's directory.
func (c cluster) initdb(ctx context.Context, data, ctype string) (output []byte, err error) {
	if err := os.RemoveAll(data); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.binaries.Dir, "initdb"), "-D", data,
		"--auth=trust", "--username="+superuser, "--encoding=UTF8", "--locale=C", "--lc-ctype="+ctype, "--no-instructions")
	cmd.Env, cmd.Dir = environment(os.Environ()), c.dir
	c.account.Apply(cmd)
	return cmd.CombinedOutput()
}

// ctype is a locale whose upper and lower case include æ, ø and å.
func ctype() string {
	if runtime.GOOS == "darwin" {
		return "UTF-8"
	}
	return "C.UTF-8"
}

func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}
