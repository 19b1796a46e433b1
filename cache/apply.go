package cache

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// application is one batch that is being applied.
type application struct {
	store    *Store
	batch    *Batch
	entries  []entry
	entities []string // sorted
	deleting []string // the entities that have a row to delete
	history  bool     // whether history is written

	result Result
}

// run makes one try, with three round trips: begin, copy, everything else.
func (a *application) run(ctx context.Context) (Result, error) {
	a.result = Result{}
	err := a.store.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		if err := createStageTable(ctx, conn.Conn()); err != nil {
			return err
		}
		err := a.write(ctx, conn.Conn())
		if isMissingPartition(err) {
			// The session's cached list of partitions may lack one that another session is
			// attaching. The next try uses another session.
			_ = conn.Conn().Close(ctx)
		}
		return err
	})
	a.countSkipped()
	return a.result, err
}

// write sends what is locked, compared and written as one message, with the commit, so
// that the server holds no lock while it waits for us.
func (a *application) write(ctx context.Context, conn *pgx.Conn) error {
	var m session.Message
	if len(a.entries) == 0 {
		begin(&m, writerLock)
	} else if err := a.stage(ctx, conn); err != nil {
		return err
	}
	lockForWriting(&m, a.batch.lockKeys())
	a.store.addMoves(&m, a.batch.Moves) // Invariant 2: without its offsets nothing is written
	a.addRows(&m)
	addDeadLetters(&m, a.batch.DeadLetters)
	m.Add(`COMMIT`)
	return m.Run(ctx, conn)
}

// stage begins a transaction and copies the entries to the stage.
func (a *application) stage(ctx context.Context, conn *pgx.Conn) error {
	var m session.Message
	begin(&m, writerLock)
	if err := m.Run(ctx, conn); err != nil {
		return err
	}
	reader := newStageReader(a.entries, a.store.cfg.TTL)
	if _, err := conn.PgConn().CopyFrom(ctx, reader, copyStage); err != nil {
		return session.Rollback(ctx, conn, fmt.Errorf("copy: %w", err))
	}
	return nil
}

func (a *application) addRows(m *session.Message) {
	if len(a.entries) == 0 {
		return
	}
	if a.history {
		addHistory(m, a.entities)
	}
	m.Add(upsertRows, a.entities, a.history).Else(errHistory).Scan(&a.result.Inserted, &a.result.Updated, &a.result.Unchanged, nil)
	m.Add(removeReappeared, a.entities, a.history).Else(errHistory)
	for _, entity := range a.deleting {
		m.Add(deleteRows, entity).Read(func(rows pgx.Rows) error {
			var deleted, unchanged int
			_, err := pgx.ForEachRow(rows, []any{&deleted, &unchanged}, func() error {
				a.result.Deleted += deleted
				a.result.Unchanged += unchanged
				return nil
			})
			return err
		})
	}
	if len(a.batch.Moves) == 0 {
		m.Add(raiseEpochs, a.entities)
	}
}

// countSkipped counts the changes that wrote nothing (Invariant 5: every skip is
// counted). The newest change of a key is stale then, the others are superseded.
func (a *application) countSkipped() {
	r, newest := &a.result, 0
	for _, e := range a.entries {
		if e.last {
			newest++
		}
	}
	r.Superseded = len(a.entries) - newest
	r.Stale = newest - r.Inserted - r.Updated - r.Deleted - r.Unchanged
}

// setRow updates the row p to the newer one. Equal content raises only the seq:
// nothing changed, so updated_at and expires_at stay.
const setRow = `        seq = excluded.seq,
        opdateringsdato = excluded.opdateringsdato,
        data = CASE WHEN p.data = excluded.data THEN p.data ELSE excluded.data END,
        updated_at = CASE WHEN p.data = excluded.data THEN p.updated_at ELSE excluded.updated_at END,
        expires_at = CASE WHEN p.data = excluded.data THEN p.expires_at ELSE excluded.expires_at END,
`

// upsertRows writes the newest change of each key. It keeps Invariant 3 twice:
// against the row and against the deleted one. The check of the deleted rows costs
// nothing while the batch's entities ($1) have none, as in a first load. It fails if a
// row was changed and no history was written ($2).
const upsertRows = `WITH written AS (
    INSERT INTO parliamentary_data AS p (entity_type, entity_id, data, seq, opdateringsdato, expires_at, since)
    SELECT s.entity_type, s.entity_id, s.data, s.seq, s.opdateringsdato, now() + make_interval(secs => s.ttl), s.since
    FROM pg_temp.odastream_stage s
    WHERE s.last AND NOT s.removes AND (
        (SELECT NOT EXISTS (SELECT FROM unnest($1::text[]) AS e (name), LATERAL (
             SELECT FROM parliamentary_deleted d WHERE d.entity_type = e.name ORDER BY d.entity_id LIMIT 1) x))
        OR s.seq > COALESCE((SELECT d.seq FROM parliamentary_deleted d
                             WHERE d.entity_type = s.entity_type AND d.entity_id = s.entity_id), 0))
    ON CONFLICT (entity_type, entity_id) DO UPDATE SET
` + setRow + `        since = CASE WHEN p.data - 'opdateringsdato' = excluded.data - 'opdateringsdato' THEN COALESCE(p.since, p.seq)
                     ELSE GREATEST(excluded.since, p.seq + 1) END
    WHERE p.seq < excluded.seq
    RETURNING p.created_at = now() AS inserted, p.updated_at = now() AS changed
)
SELECT count(*) FILTER (WHERE inserted), count(*) FILTER (WHERE changed AND NOT inserted), count(*) FILTER (WHERE NOT changed),
    1 / ($2 OR count(*) FILTER (WHERE changed AND NOT inserted) = 0)::integer
FROM written`

// removeReappeared takes rows that were created again out of the deleted ones. It fails
// if there are any and no history was written ($2). OFFSET
// makes the planner look up each row of the stage by key: it knows the size of neither
// table and would otherwise scan the deleted ones.
const removeReappeared = `WITH removed AS (DELETE FROM parliamentary_deleted WHERE ctid = ANY (ARRAY(
    SELECT x.ctid FROM pg_temp.odastream_stage s, LATERAL (
        SELECT d.ctid FROM parliamentary_deleted d
        WHERE d.entity_type = s.entity_type AND d.entity_id = s.entity_id AND d.seq < s.seq OFFSET 0) x
    WHERE s.last AND NOT s.removes AND s.entity_type = ANY ($1::text[])
      AND EXISTS (SELECT FROM unnest($1::text[]) AS e (name), LATERAL (
             SELECT FROM parliamentary_deleted d WHERE d.entity_type = e.name ORDER BY d.entity_id LIMIT 1) x))) RETURNING 1)
SELECT 1 / ($2 OR count(*) = 0)::integer FROM removed`

// deleteRows moves the deleted rows of one entity ($1) to parliamentary_deleted,
// with their last content: the row's, or what an earlier change of the same
// batch would have made of it. A row newer than its delete stays. One entity a
// statement, so that the plan has only its partitions.
const deleteRows = `WITH gone AS (
    SELECT entity_id, seq FROM pg_temp.odastream_stage WHERE entity_type = $1 AND last AND removes
), content AS (
    SELECT DISTINCT ON (s.entity_id) s.entity_id, s.seq, s.data
    FROM pg_temp.odastream_stage s JOIN gone g ON g.entity_id = s.entity_id
    WHERE s.entity_type = $1 AND NOT s.removes ORDER BY s.entity_id, s.seq DESC
), removed AS (
    DELETE FROM parliamentary_data p USING gone g
    WHERE p.entity_type = $1 AND p.entity_id = g.entity_id AND p.seq < g.seq
    RETURNING p.entity_id, p.seq, p.data
), kept AS (
    INSERT INTO parliamentary_deleted AS d (entity_type, entity_id, seq, data)
    SELECT $1, g.entity_id, g.seq, COALESCE(c.data, r.data)
    FROM gone g LEFT JOIN removed r ON r.entity_id = g.entity_id
    LEFT JOIN content c ON c.entity_id = g.entity_id AND c.seq > COALESCE(r.seq,
        (SELECT x.seq FROM parliamentary_deleted x WHERE x.entity_type = $1 AND x.entity_id = g.entity_id), 0)
    WHERE r.entity_id IS NOT NULL
       OR NOT EXISTS (SELECT FROM parliamentary_data p WHERE p.entity_type = $1 AND p.entity_id = g.entity_id)
    ORDER BY g.entity_id
    ON CONFLICT (entity_type, entity_id) DO UPDATE SET
        seq = excluded.seq,
        data = COALESCE(excluded.data, d.data),
        deleted_at = CASE WHEN excluded.data IS NULL AND NOT d.expired THEN d.deleted_at ELSE excluded.deleted_at END,
        expired = false
    WHERE d.seq < excluded.seq
    RETURNING deleted_at = now() AS changed
)
SELECT count(*) FILTER (WHERE changed), count(*) FILTER (WHERE NOT changed) FROM kept`
