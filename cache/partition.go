package cache

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// maxName is the length of Postgres's identifiers, in bytes.
const maxName = 63

// makePartitions creates the partitions of parliamentary_data that entities lack, and
// those of the history that are due.
func (s *Store) makePartitions(ctx context.Context, entities []string) error {
	for _, entity := range entities {
		if err := s.makePartition(ctx, entity); err != nil {
			return fmt.Errorf("create partition of %s: %w", entity, err)
		}
	}
	return s.makeMonths(ctx)
}

// The statements of makePartition. They query the catalog's tables, because
// to_regclass's cached answer may be older than the lock.
const (
	lockPartitionNames = `SELECT pg_advisory_xact_lock(hashtextextended('odastream parliamentary_data partitions', 0))`

	hasPartition = `SELECT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'parliamentary_data'::regclass AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%L)', $1::text))`

	partitionDDL = `SELECT format('CREATE TABLE %1$I (LIKE parliamentary_data INCLUDING ALL);
ALTER TABLE parliamentary_data ATTACH PARTITION %1$I FOR VALUES IN (%2$L)',
    CASE WHEN EXISTS (SELECT FROM pg_class WHERE relname = $2 AND relnamespace = current_schema()::regnamespace)
         THEN $3::text ELSE $2::text END, $1::text)`
)

// makePartition creates the entity's table and then attaches it, which does not block
// readers and writers of the other partitions. If a lock is not free the caller tries
// again.
func (s *Store) makePartition(ctx context.Context, entity string) error {
	return s.changeTables(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockPartitionNames); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, hasPartition, entity).Scan(&there); err != nil || there {
			return err
		}
		var ddl string
		plain, unique := partitionNames(entity)
		if err := tx.QueryRow(ctx, partitionDDL, entity, plain, unique).Scan(&ddl); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, ddl); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "created the partition of a new entity", "entity", entity)
		return nil
	})
}

// partitionNames returns the name of an unknown entity's partition, and one with a
// hash, to be used if another entity has the first.
func partitionNames(entity string) (plain, unique string) {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, schema.Suffix(entity))
	name = "parliamentary_data_" + name
	h := fnv.New32a()
	h.Write([]byte(entity))
	hash := fmt.Sprintf("_%08x", h.Sum32())
	return name[:min(len(name), maxName)], name[:min(len(name), maxName-len(hash))] + hash
}
