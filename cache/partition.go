package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"odastream/internal/session"
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

	lacksPartition = `SELECT 1 / (NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'parliamentary_data'::regclass AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%L)', $1::text)))::integer`

	partitionDDL = `SELECT format('CREATE TABLE %I (LIKE parliamentary_data INCLUDING ALL)', n.name),
    format('ALTER TABLE parliamentary_data ATTACH PARTITION %I FOR VALUES IN (%L)', n.name, $1::text)
FROM (SELECT CASE WHEN EXISTS (SELECT FROM pg_class WHERE relname = $2 AND relnamespace = current_schema()::regnamespace)
    THEN $3::text ELSE $2::text END AS name) AS n`
)

// errHasPartition means that another session has made the partition meanwhile.
var errHasPartition = errors.New("the entity has its partition")

// makePartition creates the entity's table and then attaches it, which does not block
// readers and writers of the other partitions. If a lock is not free, or another session
// has just used the table's name, the caller tries again.
func (s *Store) makePartition(ctx context.Context, entity string) error {
	var create, attach string
	plain, unique := partitionNames(entity)
	if err := s.pool.QueryRow(ctx, partitionDDL, entity, plain, unique).Scan(&create, &attach); err != nil {
		return err
	}
	err := s.changeTables(ctx, func(m *session.Message) {
		m.Add(lockPartitionNames)
		m.Add(lacksPartition, entity).Else(errHasPartition)
		m.Add(create)
		m.Add(attach)
	})
	switch {
	case errors.Is(err, errHasPartition):
		return nil
	case err == nil:
		s.log.InfoContext(ctx, "created the partition of a new entity", "entity", entity)
	}
	return err
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
