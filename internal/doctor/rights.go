package doctor

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/oda"
)

// missingRights returns what the session's role lacks of what poller and sink need, a
// line each: privileges on tables that are there, and what creating partitions, months
// and a batch's temporary table needs.
const missingRights = `
WITH needed AS (
    SELECT t AS name, to_regclass(t) AS id FROM unnest(ARRAY['parliamentary_data', 'parliamentary_history', 'parliamentary_deleted', 'dead_letters', 'sink_offsets', 'cache_epochs',
        'poller_leases', 'poller_members', 'poller_watermarks', 'poller_ledger', 'poller_positions', 'poller_scans', 'poller_vanished', 'poller_lateness']) t
)
SELECT string_agg(p, ', ') || ' on ' || name
FROM needed, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p WHERE id IS NOT NULL AND NOT has_table_privilege(id, p) GROUP BY name
UNION ALL
SELECT 'ownership of ' || name || ', whose partitions its owner makes'
FROM needed JOIN pg_class c ON c.oid = id WHERE name IN ('parliamentary_data', 'parliamentary_history') AND NOT pg_has_role(c.relowner, 'USAGE')
UNION ALL
SELECT 'CREATE in a schema of the search path' WHERE NOT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)
UNION ALL
SELECT 'TEMPORARY on the database' WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
UNION ALL
SELECT 'CREATE on the database, for the schema parliament' WHERE to_regnamespace('parliament') IS NULL AND NOT has_database_privilege(current_database(), 'CREATE')`

// rights checks what the role of DATABASE_URL may do.
func rights(ctx context.Context, pool *pgxpool.Pool) oda.Finding {
	var role string
	var lacks []string
	err := pool.QueryRow(ctx, `SELECT current_user, ARRAY(SELECT r FROM (`+missingRights+`) AS missing (r) ORDER BY r)`).Scan(&role, &lacks)
	if err != nil {
		return unreached("rights", err, "they could not be checked", seeServerLog)
	}
	if len(lacks) == 0 {
		return ok("rights", "role "+role+" has all that poller and sink need", "what they write is taken")
	}
	return trouble("rights", "role "+role+" lacks "+strings.Join(lacks, "; "), "poller and sink cannot write everything with this role",
		"GRANT what is lacking to it, or have DATABASE_URL name the tables' owner; docs/operations.md lists the rights")
}
