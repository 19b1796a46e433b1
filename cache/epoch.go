package cache

// An entity's epoch is raised in each transaction that changes its rows and moves no
// offset. Rows are as somebody has seen them while offsets and epoch are: query.States.
const (
	onEpochConflict = ` ON CONFLICT (entity_type) DO UPDATE SET epoch = e.epoch + 1, changed_at = now()`

	// raiseEpochs raises those of the entities $1.
	raiseEpochs = `INSERT INTO cache_epochs AS e (entity_type) SELECT DISTINCT unnest($1::text[]) ORDER BY 1` + onEpochConflict

	// raiseMendedEpoch raises that of the entity $1 if rows of it were mended.
	raiseMendedEpoch = `INSERT INTO cache_epochs AS e (entity_type) SELECT $1 WHERE EXISTS (SELECT FROM pg_temp.odastream_found)` + onEpochConflict
)
