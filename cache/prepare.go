package cache

import (
	"context"
	"fmt"
)

// monthsAhead is how many coming months have a partition of the history: a sink that
// is started once a quarter still finds this month's.
const monthsAhead = 3

// Prepare applies the settings to the migrated database; call it when a sink starts.
// With GIN on it creates the index on the rows' content, while others read and write.
// With GIN off it drops the index. It also creates the coming months' partitions of the
// history. It waits for locks until ctx ends, and logs for which. Several sinks may call
// it at once; they should have the same settings.
func (s *Store) Prepare(ctx context.Context) error {
	err := s.prepareGIN(ctx)
	if err == nil {
		err = s.untilUnlocked(ctx, "create the history's coming months", func() error { return s.makeMonths(ctx) })
	}
	if err != nil {
		return fmt.Errorf("prepare the cache: %w", err)
	}
	return nil
}
