package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// wantedPostgres says what a field with the tag address:"postgres" accepts.
const wantedPostgres = "want a Postgres URL such as postgres://user@host:5432/database, or a DSN such as host=db dbname=odastream"

// parameter is the name of a parameter of a Postgres connection.
var parameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// CheckPostgres returns what is wrong with the address of a database, nil if it is valid.
// The error shows nothing of the address: an invalid one may hold a password in any
// place.
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
	// pgx takes what it does not know for a parameter of the server. So the whole of "x
	// postgres://…?sslmode=off" is a parameter, and the connection goes elsewhere.
	for name := range cfg.RuntimeParams {
		if !parameter.MatchString(name) {
			return errors.New(wantedPostgres)
		}
	}
	return nil
}
