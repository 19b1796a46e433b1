package survey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odastream/schema"
)

// ErrNoTables says that the database was never migrated.
var ErrNoTables = errors.New("the database has no tables of odastream: start a poller or a sink on it, or run odastream migrate")

// countWithin bounds the count of all rows, for which a complete cache takes
// longer than anybody waits.
const countWithin = 4 * time.Second

// readTables reads what the tables say of each entity.
func readTables(ctx context.Context, t Target) (*entities, error) {
	conn, err := pgx.Connect(ctx, t.DatabaseURL)
	if err != nil {
		line := strings.Join(strings.Fields(err.Error()), " ")
		return nil, fmt.Errorf("reach Postgres: %s (is it running? DATABASE_URL says where it is)", line)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	k := &entities{bySuffix: map[string]*Entity{}}
	for _, read := range []func(context.Context, *pgx.Conn, Target) error{k.readPoller, k.readSink, k.readDeadLetters} {
		if err := read(ctx, conn, t); err != nil {
			var fault *pgconn.PgError
			if errors.As(err, &fault) && fault.Code == "42P01" { // undefined_table
				return nil, ErrNoTables
			}
			return nil, fmt.Errorf("read odastream's tables: %w", err)
		}
	}
	k.count(ctx, t)
	return k, nil
}

func (k *entities) readPoller(ctx context.Context, conn *pgx.Conn, _ Target) error {
	rows, err := conn.Query(ctx, `
		SELECT entity_type, watermark, loaded_at, scanned_at, CASE WHEN expires_at > clock_timestamp() THEN holder ELSE '' END
		FROM poller_leases LEFT JOIN poller_watermarks USING (entity_type)`)
	if err != nil {
		return err
	}
	var name, holder string
	var watermark, loaded, scanned *time.Time
	_, err = pgx.ForEachRow(rows, []any{&name, &watermark, &loaded, &scanned, &holder}, func() error {
		e := k.of(name)
		e.Holder, e.Watermark, e.LoadedAt, e.ScannedAt = holder, orZero(watermark), orZero(loaded), orZero(scanned)
		return nil
	})
	return err
}

func (k *entities) readSink(ctx context.Context, conn *pgx.Conn, t Target) error {
	rows, err := conn.Query(ctx, "SELECT topic, max(updated_at) FROM sink_offsets GROUP BY topic")
	if err != nil {
		return err
	}
	var topic string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&topic, &at}, func() error {
		k.ofTopic(topic, t).AppliedAt = at.UTC()
		return nil
	})
	return err
}

func (k *entities) readDeadLetters(ctx context.Context, conn *pgx.Conn, t Target) error {
	rows, err := conn.Query(ctx, "SELECT topic, count(*) FROM dead_letters WHERE state = 'open' GROUP BY topic")
	if err != nil {
		return err
	}
	var topic string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&topic, &n}, func() error {
		k.ofTopic(topic, t).DeadLetters = n
		return nil
	})
	return err
}

// count counts the rows of each entity, over a connection of its own that may be
// cut off.
func (k *entities) count(ctx context.Context, t Target) {
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	conn, err := pgx.Connect(ctx, t.DatabaseURL)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, "SELECT entity_type, count(*) FROM parliamentary_data GROUP BY entity_type")
	if err != nil {
		return
	}
	counted, total := map[string]int64{}, int64(0)
	var name string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error {
		counted[name], total = n, total+n
		k.of(name)
		return nil
	})
	if err != nil {
		return
	}
	k.rows = &total
	for _, e := range k.bySuffix {
		n := counted[e.Entity]
		e.Rows = &n
	}
}

// ofTopic finds the entity of a topic. Of one that the schema does not know the
// topic's last part is the name.
func (k *entities) ofTopic(topic string, t Target) *Entity {
	suffix := strings.TrimPrefix(topic, t.TopicPrefix)
	if e, err := schema.Lookup(suffix); err == nil {
		return k.of(e.Name)
	}
	return k.of(suffix)
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
