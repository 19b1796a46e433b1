package migrate

import (
	"context"
	"fmt"

	"odastream/internal/session"
)

// ReaderRole is the role that may read the copy, and nothing else. It cannot log in:
// grant it to a role that can, or give it LOGIN and a password.
const ReaderRole = "odastream_reader"

// grantReader makes the role unless it is there, and grants what the gateway and readers of
// the cache need. Rows are read through the tables that have partitions, which need no
// grants of their own.
const grantReader = `DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '` + ReaderRole + `') THEN
        BEGIN
            CREATE ROLE ` + ReaderRole + ` NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- somebody else made it meanwhile
        END;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO ` + ReaderRole + `', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I, parliament TO ` + ReaderRole + `', current_schema());
    GRANT SELECT ON parliamentary_data, parliamentary_history, parliamentary_deleted, parliamentary_history_start, sink_offsets, cache_epochs, dead_letters TO ` + ReaderRole + `;
    GRANT SELECT ON ALL TABLES IN SCHEMA parliament TO ` + ReaderRole + `;
END
$$`

// GrantReader makes ReaderRole and grants it what readers of the copy need. The database is
// migrated. The error is that of a user who may make no roles, among others.
func GrantReader(ctx context.Context, databaseURL string) error {
	conn, err := session.Connect(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("make role %s: connect: %w", ReaderRole, err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, grantReader); err != nil {
		return fmt.Errorf("make role %s: %w", ReaderRole, err)
	}
	return nil
}
