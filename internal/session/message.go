package session

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Message is a sequence of statements that the server receives as one message. The
// server has all of it before it runs the first statement, so a client that falls silent
// cannot stop it between two of them. The zero value is ready for use.
//
// Invariant: whoever locks what others wait for does it in a message that also ends the
// transaction. With a prepared statement the server holds its locks until it receives the
// client's Sync, and no timeout of a session runs meanwhile.
type Message struct{ statements []*Statement }

// Statement is one statement of a Message.
type Statement struct {
	sql   string
	args  []any
	read  func(pgx.Rows) error
	unmet error
}

// Add adds one statement with its own numbers of parameters. The arguments are sent as
// text; without arguments sql is sent as it is.
func (m *Message) Add(sql string, args ...any) *Statement {
	s := &Statement{sql: sql, args: args}
	m.statements = append(m.statements, s)
	return s
}

// Read has fn read the statement's rows.
func (s *Statement) Read(fn func(rows pgx.Rows) error) *Statement {
	s.read = fn
	return s
}

// Scan reads the statement's only row.
func (s *Statement) Scan(dest ...any) *Statement {
	return s.Read(func(rows pgx.Rows) error {
		if !rows.Next() {
			return errors.Join(rows.Err(), pgx.ErrNoRows)
		}
		return rows.Scan(dest...)
	})
}

// Count sets n to the number of rows that the statement wrote.
func (s *Statement) Count(n *int) *Statement {
	return s.Read(func(rows pgx.Rows) error {
		rows.Close()
		*n = int(rows.CommandTag().RowsAffected())
		return rows.Err()
	})
}

// Else is for a statement that checks whether the transaction may go on: it divides by
// zero if not, which ends the message and the transaction. Run then returns err.
func (s *Statement) Else(err error) *Statement {
	s.unmet = err
	return s
}

// divisionByZero is the SQLSTATE by which a check fails.
const divisionByZero = "22012"

// Run sends the message and reads the results. After an error of the server it ends the
// transaction, if one is open. What was read before an error may be set.
func (m *Message) Run(ctx context.Context, conn *pgx.Conn) error {
	sql, err := m.text(conn.TypeMap())
	if err != nil {
		return err
	}
	ended, err := m.exchange(ctx, conn, sql)
	pg, ofServer := errors.AsType[*pgconn.PgError](err)
	if ofServer && pg.Code == divisionByZero && ended < len(m.statements) && m.statements[ended].unmet != nil {
		err = m.statements[ended].unmet
	}
	return Rollback(ctx, conn, err)
}

// exchange returns how many statements have ended, with the first error.
func (m *Message) exchange(ctx context.Context, conn *pgx.Conn, sql string) (ended int, err error) {
	results := conn.PgConn().Exec(ctx, sql)
	for results.NextResult() {
		rows := pgx.RowsFromResultReader(conn.TypeMap(), results.ResultReader())
		if read := m.statements[ended].read; read != nil {
			err = read(rows)
		}
		rows.Close()
		if err = errors.Join(rows.Err(), err); err != nil {
			break
		}
		ended++
	}
	if failed := results.Close(); failed != nil {
		err = failed
	}
	return ended, err
}

// Rollback ends the transaction that err has left open, if it has, and returns err. So
// the connection can be used again.
func Rollback(ctx context.Context, conn *pgx.Conn, err error) error {
	if err == nil || conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return err
	}
	if _, failed := conn.Exec(ctx, `ROLLBACK`); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

func (m *Message) text(types *pgtype.Map) (string, error) {
	var sql strings.Builder
	for _, s := range m.statements {
		text, err := s.text(types)
		if err != nil {
			return "", err
		}
		sql.WriteString(text)
		sql.WriteString(";\n")
	}
	return sql.String(), nil
}

func (s *Statement) text(types *pgtype.Map) (string, error) {
	if len(s.args) == 0 {
		return s.sql, nil
	}
	literals := make([]string, len(s.args))
	for i, arg := range s.args {
		var err error
		if literals[i], err = literal(types, arg); err != nil {
			return "", fmt.Errorf("encode argument %d of a statement: %w", i+1, err)
		}
	}
	return parameter.ReplaceAllStringFunc(s.sql, func(p string) string {
		n, _ := strconv.Atoi(p[1:]) // digits
		return literals[n-1]
	}), nil
}

// literal returns arg as SQL writes it. A number is in parentheses, because of its sign.
func literal(types *pgtype.Map, arg any) (string, error) {
	switch arg := arg.(type) {
	case int, int32, int64:
		return fmt.Sprintf("(%d)", arg), nil
	case bool:
		return strconv.FormatBool(arg), nil
	case string:
		return storable(arg)
	}
	text, err := types.Encode(0, pgtype.TextFormatCode, arg, []byte{})
	if err != nil || text == nil {
		return "NULL", err
	}
	return storable(string(text))
}

func storable(text string) (string, error) {
	if strings.Contains(text, "\x00") {
		return "", errors.New("it has a NUL, which ends the message")
	}
	return quote(text), nil
}
