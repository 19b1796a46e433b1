package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odastream/internal/session"
	"odastream/internal/test/pgtest"
)

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := session.Connect(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// What is sent as text arrives as it was.
func TestArgumentsOfAMessage(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	texts := []string{"", "Mødeaktør", `'`, `\'; SELECT 1; --`, "a\nb\\", `{"a":"$1 $2"}`, `$tag$`, "NULL", `"`, `,{}`}
	var got []string
	var n, negative int64
	var yes bool
	var when time.Time
	var none *string
	at := time.Date(2026, 11, 30, 15, 4, 5, 6000, time.UTC)
	var m session.Message
	m.Add(`SELECT $1::text[], $2::bigint, 5 - $3, $4::boolean, $5::timestamptz, $6::text`, texts, int64(1)<<62, int64(-7), true, &at, none).
		Scan(&got, &n, &negative, &yes, &when, &none)
	each := make([]string, len(texts))
	for i, text := range texts {
		m.Add(`SELECT $1::text`, text).Scan(&each[i])
	}
	if err := m.Run(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(texts, each); diff != "" {
		t.Errorf("each text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(texts, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	if n != 1<<62 || negative != 12 || !yes || !when.Equal(at) || none != nil {
		t.Errorf("values = %d, %d, %t, %s, %v", n, negative, yes, when, none)
	}
	var nul session.Message
	nul.Add(`SELECT $1`, "a\x00b")
	if err := nul.Run(t.Context(), conn); err == nil {
		t.Error("a message with a NUL = nil, want an error: the message would end there")
	}
}

func TestAMessageIsOneTransaction(t *testing.T) {
	t.Parallel()
	errUnmet := errors.New("unmet")
	for claim, tt := range map[string]struct {
		last    string
		unmet   error
		written string
		want    func(error) bool
	}{
		"all is kept":                                    {`SELECT 1`, errUnmet, "2", func(err error) bool { return err == nil }},
		"nothing is kept if a check is unmet":            {`SELECT 1 / count(*) FROM x WHERE false`, errUnmet, "0", func(err error) bool { return errors.Is(err, errUnmet) }},
		"nothing is kept if the server refuses":          {`SELECT 'x'::integer`, errUnmet, "0", func(err error) bool { return isCode(err, "22P02") }},
		"a division by zero that is no check is a fault": {`SELECT 1 / count(*) FROM x WHERE false`, nil, "0", func(err error) bool { return isCode(err, "22012") }},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			conn := connect(t)
			if _, err := conn.Exec(t.Context(), `CREATE TABLE x (n integer)`); err != nil {
				t.Fatal(err)
			}
			n := 0
			var m session.Message
			m.Add(`BEGIN`)
			m.Add(`INSERT INTO x SELECT generate_series(1, $1)`, 2).Count(&n)
			last := m.Add(tt.last)
			if tt.unmet != nil {
				last.Else(tt.unmet)
			}
			m.Add(`COMMIT`)
			if err := m.Run(t.Context(), conn); !tt.want(err) || n != 2 {
				t.Errorf("Run = %v, with %d rows written before", err, n)
			}
			if got := pgtest.Lines(t, conn, `SELECT count(*) FROM x`); got != tt.written {
				t.Errorf("rows = %s, want %s", got, tt.written)
			}
		})
	}
}

func isCode(err error, code string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == code && strings.Contains(err.Error(), code)
}
