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

// makePartitions makes those partitions of parliamentary_data that entities lack.
func (s *Store) makePartitions(ctx context.Context, entities []string) error {
	for _, entity := range entities {
		if err := s.makePartition(ctx, entity); err != nil {
			return fmt.Errorf("make partition of %s: %w", entity, err)
		}
	}
	return nil
}

// makePartition makes the entity's table first and attaches it then, which lets
// readers and writers of the other partitions go on. The lock_timeout bounds the
// wait behind a long query; the caller tries again.
func (s *Store) makePartition(ctx context.Context, entity string) error {
	const (
		begin  = `SET LOCAL lock_timeout = '2s'`
		lock   = `SELECT pg_advisory_xact_lock(hashtextextended('odastream parliamentary_data partitions', 0))`
		exists = `SELECT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'parliamentary_data'::regclass AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%L)', $1::text))`
		create = `SELECT format('CREATE TABLE %1$I (LIKE parliamentary_data INCLUDING ALL);
ALTER TABLE parliamentary_data ATTACH PARTITION %1$I FOR VALUES IN (%2$L)', $1::text, $2::text)`
	)
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, begin+";"+lock); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, exists, entity).Scan(&there); err != nil || there {
			return err
		}
		var ddl string
		if err := tx.QueryRow(ctx, create, partitionName(entity), entity).Scan(&ddl); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, ddl); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "made the partition of a new entity", "entity", entity)
		return nil
	})
}

// partitionName returns the name of an unknown entity's partition. Whatever the
// plain name cannot tell apart is told apart by a hash.
func partitionName(entity string) string {
	suffix := schema.Suffix(entity)
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, suffix)
	name := "parliamentary_data_" + plain
	_, err := schema.Lookup(entity)
	if plain == suffix && len(name) <= maxName && err != nil {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(entity))
	hash := fmt.Sprintf("_%08x", h.Sum32())
	return name[:min(len(name), maxName-len(hash))] + hash
}
