package pgtest

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5"

	"odastream/internal/migrate"
)

// hostile are settings that a database may have for its sessions. Each breaks a
// statement, changes what it stores, or ends it.
var hostile = map[string]string{
	"client_encoding":                     "LATIN1",
	"DateStyle":                           "SQL, DMY",
	"IntervalStyle":                       "sql_standard",
	"TimeZone":                            "Asia/Kolkata", // IST, which is read as Israel's time zone
	"bytea_output":                        "escape",
	"extra_float_digits":                  "-15",
	"standard_conforming_strings":         "off",
	"default_transaction_isolation":       "serializable",
	"default_transaction_deferrable":      "on",
	"search_path":                         "pg_catalog",
	"statement_timeout":                   "1ms",
	"lock_timeout":                        "1ms",
	"idle_in_transaction_session_timeout": "1ms",
	"idle_session_timeout":                "1ms",
}

// Hostile returns the URL of a migrated database whose sessions have the worst settings
// by default. It was migrated with these settings.
func Hostile(t testing.TB) string {
	t.Helper()
	url := Empty(t)
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	admin := server(t)
	for name, value := range hostile {
		if err := admin.exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s SET %s = '%s'", cfg.Database, name, value)); err != nil {
			t.Fatalf("pgtest: set %s: %v", name, err)
		}
	}
	if err := migrate.Up(t.Context(), url, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return url
}

// Latin1 returns the URL of an empty database that stores text as LATIN1.
func Latin1(t testing.TB) string {
	t.Helper()
	return create(t, server(t), "template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
}
