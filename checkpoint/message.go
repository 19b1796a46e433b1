package checkpoint

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// message is a sequence of statements that the server receives as one message. The
// server has all of it before it runs the first statement, so a client that falls silent
// cannot stop it between two of them.
//
// With a prepared statement this is not so: the server holds its locks until it receives
// the client's Sync, and no timeout of a session runs meanwhile.
type message struct {
	sql  strings.Builder
	args []any
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

// queue adds a statement with its own numbers of parameters. The arguments are sent as
// text.
func (m *message) queue(query string, args ...any) {
	before := len(m.args)
	m.sql.WriteString(parameter.ReplaceAllStringFunc(query, func(p string) string {
		n, _ := strconv.Atoi(p[1:]) // digits
		return "$" + strconv.Itoa(before+n)
	}))
	m.sql.WriteString(";\n")
	m.args = append(m.args, args...)
}

// execer is a pool or a connection.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// run sends the message and returns the result of its last statement.
func (m *message) run(ctx context.Context, db execer) (pgconn.CommandTag, error) {
	return db.Exec(ctx, m.sql.String(), append([]any{pgx.QueryExecModeSimpleProtocol}, m.args...)...)
}
