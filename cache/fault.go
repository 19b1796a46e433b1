package cache

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// IsRecordFault says whether err is Postgres's refusal of a record's content
// (SQLSTATE 22*, 54000, or 23* that names a constraint), and returns the code. One
// such record fails its whole batch, so a record is at fault only if it was applied
// alone. Every other error, unknown codes included, is the environment's: wait and
// retry (Invariant 6).
func IsRecordFault(err error) (sqlstate string, ok bool) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return "", false
	}
	switch {
	case strings.HasPrefix(pg.Code, "22"), pg.Code == "54000":
		return pg.Code, true
	case strings.HasPrefix(pg.Code, "23") && pg.ConstraintName != "":
		return pg.Code, true
	}
	return "", false
}

// isMissingPartition says whether err is Postgres's "no partition of relation
// found for row": a check violation that names no constraint.
func isMissingPartition(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23514" && pg.ConstraintName == ""
}
