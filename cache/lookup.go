package cache

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/schema"
)

// lookup is an index by which readers find rows of an entity.
type lookup struct {
	entity string
	name   string // as Postgres spells it without quotes
	table  string // the entity's partition
	on     string // what it is on, as CREATE INDEX wants it
}

// What an index is on, by the kind of its field: the expression by which package query reads it.
// Postgres uses an index only for its own expression (TestQueriesUseTheLookupIndexes).
// Null is first: readers order so. A field that may be null is so in most rows, and these
// are left out.
const (
	onStamp = `(opdateringsdato NULLS FIRST)`
	onLink  = `(parliament.as_integer(data -> '%[1]s'))`
	ifLink  = onLink + ` WHERE parliament.as_integer(data -> '%[1]s') IS NOT NULL`
	onDate  = `(parliament.as_timestamp(data ->> '%s') NULLS FIRST)`
)

// lookups returns the indexes that readers need.
func lookups() (all []lookup) {
	for _, e := range schema.Entities() {
		for _, f := range e.Indexed() {
			l := lookup{entity: e.Name, table: "parliamentary_data_" + e.Suffix, on: onField(f)}
			l.name = l.table + "_" + schema.Suffix(f.Name)
			all = append(all, l)
		}
	}
	return slices.SortedFunc(slices.Values(all), func(a, b lookup) int { return strings.Compare(a.name, b.name) })
}

// onField returns what the index of a field is on.
func onField(f schema.Field) string {
	switch {
	case f.Name == "opdateringsdato":
		return onStamp
	case f.Type == "Edm.DateTime":
		return fmt.Sprintf(onDate, f.Name)
	case f.Nullable:
		return fmt.Sprintf(ifLink, f.Name)
	}
	return fmt.Sprintf(onLink, f.Name)
}

// The statements about these indexes. $1 is a table and $2 the name of its index. A part of
// a table that is split has the index under a name of its own, so that a build that ended
// early is found again.
const (
	// A table of less than a megabyte is read as fast without an index. One of which $4 rows
	// and more were written within a minute is being loaded: loading rows into an index costs
	// more than to build it afterwards.
	lacksLookup = `SELECT w.name FROM unnest($1::text[], $2::text[], $3::text[]) AS w (name, tbl, entity)
JOIN pg_class t ON t.relname = w.tbl AND t.relnamespace = current_schema()::regnamespace
WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = t.oid AND c.relname = w.name AND i.indisvalid)
AND (SELECT sum(pg_relation_size(p.relid)) FROM pg_partition_tree(t.oid) p WHERE p.isleaf) >= 1048576
AND (SELECT count(*) FROM (SELECT FROM parliamentary_data d
    WHERE d.entity_type = w.entity AND d.updated_at > now() - interval '1 minute' LIMIT $4) x) < $4`

	lookupName = `CASE t.level WHEN 0 THEN $2::text ELSE $2::text || '_' || t.relid::oid END`

	dropLookupParts = `SELECT format('DROP INDEX CONCURRENTLY %s', c.oid::regclass)
FROM pg_partition_tree($1::text::regclass) t JOIN pg_index i ON i.indrelid = t.relid JOIN pg_class c ON c.oid = i.indexrelid
WHERE t.isleaf AND NOT i.indisvalid AND c.relname = ` + lookupName

	buildLookupParts = `SELECT format('CREATE INDEX CONCURRENTLY %I ON %s %s', ` + lookupName + `, t.relid, $3::text)
FROM pg_partition_tree($1::text::regclass) t
WHERE t.isleaf AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = t.relid AND i.indisvalid AND c.relname = ` + lookupName + `)
ORDER BY t.relid`

	buildLookup = `SELECT format('CREATE INDEX IF NOT EXISTS %I ON %s %s', $2::text, $1::text, $3::text)`
)

// loading is how many rows of an entity are written in a minute while it is loaded, and
// hardly ever afterwards.
const loading = 10_000

// MaintainLookups creates the indexes by which readers find rows, of each entity that has
// more than a few. Like MaintainIndex it holds up no reader and no writer, waits for locks
// and logs for which, and does nothing if another session is at it.
func (s *Store) MaintainLookups(ctx context.Context) error {
	return s.maintainLookups(ctx, math.MaxInt32)
}

// maintainLookups leaves out the entities of which so many rows were written within the last
// minute.
func (s *Store) maintainLookups(ctx context.Context, loading int) error {
	err := s.pool.AcquireFunc(ctx, func(pooled *pgxpool.Conn) error {
		conn := pooled.Conn()
		if missing, err := missingLookups(ctx, conn, loading); err != nil || len(missing) == 0 {
			return err
		}
		return s.alone(ctx, conn, func() error {
			missing, err := missingLookups(ctx, conn, loading)
			for _, l := range missing {
				if err = s.buildLookup(ctx, conn, l); err != nil {
					return fmt.Errorf("%s: %w", l.name, err)
				}
			}
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("maintain the lookup indexes: %w", err)
	}
	return nil
}

// missingLookups returns the indexes that are to be created.
func missingLookups(ctx context.Context, conn *pgx.Conn, loading int) (missing []lookup, err error) {
	all := lookups()
	var names, tables, entities []string
	for _, l := range all {
		names, tables, entities = append(names, l.name), append(tables, l.table), append(entities, l.entity)
	}
	lacking, err := statements(ctx, conn, lacksLookup, names, tables, entities, loading)
	for _, l := range all {
		if slices.Contains(lacking, l.name) {
			missing = append(missing, l)
		}
	}
	return missing, err
}

// buildLookup builds the index of each part of a table while others write, and then that
// of the table, which takes those over.
func (s *Store) buildLookup(ctx context.Context, conn *pgx.Conn, l lookup) error {
	what := "build the index " + l.name
	err := s.untilUnlocked(ctx, what, func() error {
		if err := s.concurrently(ctx, conn, dropLookupParts, l.table, l.name); err != nil {
			return err
		}
		return s.concurrently(ctx, conn, buildLookupParts, l.table, l.name, l.on)
	})
	if err != nil {
		return err
	}
	whole, err := statements(ctx, conn, buildLookup, l.table, l.name, l.on)
	if err != nil {
		return err
	}
	return s.changeIndex(ctx, conn, what, whole[0])
}
