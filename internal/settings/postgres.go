package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// wantedPostgres is what a field with the tag address:"postgres" takes.
const wantedPostgres = "want a Postgres URL such as postgres://user@host:5432/database, or a DSN such as host=db dbname=odastream"

// parameter is the name of a parameter of a Postgres connection.
var parameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// CheckPostgres says what is wrong with the address of a database; nil: it can be
// read. The error shows nothing of the address, which may hold a password at any
// place once it is broken.
func CheckPostgres(address string) error {
	trimmed := strings.TrimSpace(address)
	isURL := strings.HasPrefix(trimmed, "postgres://") || strings.HasPrefix(trimmed, "postgresql://")
	if isURL && trimmed != address {
		return errors.New("want it without blanks around it")
	}
	cfg, err := pgconn.ParseConfig(address)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("want files in it that can be read: %w", file)
	}
	if err != nil {
		return errors.New(wantedPostgres)
	}
	// What pgx does not know it takes for a parameter of the server. So the whole
	// of "x postgres://…?sslmode=off" is one, and the connection goes elsewhere.
	for name := range cfg.RuntimeParams {
		if !parameter.MatchString(name) {
			return errors.New(wantedPostgres)
		}
	}
	return nil
}
