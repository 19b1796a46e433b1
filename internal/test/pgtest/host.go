package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"odastream/internal/migrate"
	"odastream/schema"
)

const (
	testPrefix     = "test_"
	templatePrefix = "template_odastream_"
	// templateLock is the advisory lock for making a template. It is an arbitrary number
	// that nothing else uses.
	templateLock = 7_304_120_251
)

// host is a server for test databases. It is safe for concurrent use.
type host struct {
	url     string
	running *Server // nil: not ours; held so that its slot stays locked

	mu      sync.Mutex
	created string // the template's name once it is known to exist
}

// connect uses the server that the environment names, or starts one.
func connect() (*host, error) {
	if url := os.Getenv(EnvURL); url != "" {
		return &host{url: url}, nil
	}
	running, err := Start(context.Background())
	if err != nil {
		return nil, err
	}
	return &host{url: running.Running.URL(), running: running}, nil
}

// urlOf returns the address of another database of the server, in the same form as that
// of the first.
func (h *host) urlOf(database string) string {
	if !strings.Contains(h.url, "://") {
		return h.url + " dbname=" + database
	}
	u, err := url.Parse(h.url)
	if err != nil {
		// pgx accepts URLs with several hosts, which net/url does not. Tests do not need
		// them: the connection fails with an error.
		return h.url
	}
	u.Path, u.RawPath = "/"+database, ""
	return u.String()
}

// create makes a database with a new name, as a copy of template; "": an empty one.
func (h *host) create(ctx context.Context, template string) (name string, err error) {
	name = fmt.Sprintf("%s%d_%s", testPrefix, os.Getpid(), strings.ToLower(rand.Text()[:12]))
	sql := "CREATE DATABASE " + name
	if template != "" {
		sql += " TEMPLATE " + template
	}
	if err := h.exec(ctx, sql); err != nil {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	return name, nil
}

// drop drops a database, and cuts off connections that the test left open. Another test
// looks for leaks; the others must not make the next test fail.
func (h *host) drop(name string) error {
	if err := h.exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func (h *host) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, h.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// template returns the name of a migrated database, which the first process makes.
func (h *host) template(ctx context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.created != "" {
		return h.created, nil
	}
	name, err := currentTemplate()
	if err != nil {
		return "", err
	}
	if err := h.makeTemplate(ctx, name); err != nil {
		return "", fmt.Errorf("make template database %s: %w", name, err)
	}
	h.created = name
	return name, nil
}

func (h *host) makeTemplate(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, h.url)
	if err != nil {
		return err
	}
	// The lock ends with the session.
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return err
	}
	// datistemplate is set last. If it is not set, the process that made the template was
	// killed half-way.
	var ready bool
	err = conn.QueryRow(ctx, "SELECT coalesce(bool_or(datistemplate), false) FROM pg_database WHERE datname = $1", name).Scan(&ready)
	if err != nil || ready {
		return err
	}
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if err := migrate.Up(ctx, h.urlOf(name), slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+" IS_TEMPLATE true ALLOW_CONNECTIONS false")
	return err
}

// currentTemplate returns the name of the template for this build's migrations.
func currentTemplate() (string, error) {
	hash, err := migrationsHash(schema.Migrations)
	return templatePrefix + hash, err
}

// migrationsHash returns a hash of the migrations' names and contents.
func migrationsHash(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%s %d\n%s", path.Base(name), len(text), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read migrations: %w", err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6]), nil
}
