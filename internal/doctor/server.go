package doctor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/oda"
)

// writable checks whether the server takes writes.
func writable(ctx context.Context, pool *pgxpool.Pool) oda.Finding {
	var standby, readOnly bool
	err := pool.QueryRow(ctx, "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool").Scan(&standby, &readOnly)
	const means = "poller and sink cannot write; they wait, and lose nothing by it"
	switch {
	case err != nil:
		return unreached("writable", err, "it could not be checked", seeServerLog)
	case standby:
		return trouble("writable", "the server is a standby", means,
			"have DATABASE_URL name the primary, or all servers with target_session_attrs=read-write")
	case readOnly:
		return trouble("writable", "default_transaction_read_only is on", means,
			"ALTER DATABASE … or ALTER ROLE … RESET default_transaction_read_only, whichever has it, or see postgresql.conf")
	}
	return ok("writable", "it takes writes", "poller and sink can store what they have")
}

// fewConnections is the number of free connections from which a person should act.
const fewConnections = 5

// raiseLimit is the remedy for a limit of connections.
const raiseLimit = "raise the limit (max_connections, ALTER ROLE … or ALTER DATABASE … CONNECTION LIMIT), or end sessions that nobody needs"

// connectionLimits returns each limit that applies to our sessions, and how many
// connections count against it. Superusers have only that of the server.
const connectionLimits = `
WITH me AS (SELECT oid, rolname, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = session_user),
    open AS (SELECT usesysid, datid FROM pg_stat_activity WHERE backend_type = 'client backend')
SELECT 'the server', (SELECT count(*) FROM open), current_setting('max_connections')::int - CASE WHEN rolsuper THEN 0
    ELSE current_setting('superuser_reserved_connections')::int + COALESCE(current_setting('reserved_connections', true)::int, 0) END FROM me
UNION ALL SELECT 'role ' || rolname, (SELECT count(*) FROM open WHERE usesysid = oid), rolconnlimit FROM me WHERE rolconnlimit >= 0 AND NOT rolsuper
UNION ALL SELECT 'database ' || datname, (SELECT count(*) FROM open WHERE datid = d.oid), datconnlimit
FROM pg_database d, me WHERE datname = current_database() AND datconnlimit >= 0 AND NOT rolsuper`

// connectionLimit is a row of connectionLimits.
type connectionLimit struct {
	Of         string
	Open, Most int
}

// connections checks whether more sessions can be opened.
func connections(ctx context.Context, pool *pgxpool.Pool) oda.Finding {
	rows, err := pool.Query(ctx, connectionLimits)
	if err != nil {
		return unreached("connections", err, "they could not be counted", seeServerLog)
	}
	limits, err := pgx.CollectRows(rows, pgx.RowToStructByPos[connectionLimit])
	if err != nil {
		return unreached("connections", err, "they could not be counted", seeServerLog)
	}
	f := ok("connections", "no limit is near", "poller, sink and commands can open sessions")
	for _, l := range limits {
		if l.Most-l.Open < fewConnections {
			return trouble("connections", fmt.Sprintf("%s may have %d, and has %d", l.Of, l.Most, l.Open),
				"poller, sink and commands get no new session at the limit", raiseLimit)
		}
	}
	return f
}
