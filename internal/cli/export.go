package cli

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/connect"
	"odastream/internal/console"
	"odastream/schema"
)

const exportMore = `
It writes the rows that the cache holds now, by id, all as they were at one moment. ndjson: a row a line, with the
source's own members (the cache is jsonb, which forgets their order). csv: a line with the names of the members, those
that the source has described first; an empty field is null, "" is an empty text.

With --out the file is there whole, or it is not there: what was under its name stays until the last row is written.
The database is that of DATABASE_URL, or where that is not set that of the running "odastream up".

  odastream export Afstemning --format csv --out afstemning.csv
  odastream export Sag | jq -r .titel`

// exportation is the command line of export.
type exportation struct {
	place
	format, out string
}

func exportCommand() command {
	return command{
		name: "export", args: "ENTITY", about: "Write one entity's current rows as NDJSON or CSV.", more: exportMore,
		flags: func(set *flag.FlagSet) action {
			f := &exportation{}
			f.declare(set)
			set.StringVar(&f.format, "format", "ndjson", "`ndjson|csv`")
			set.StringVar(&f.out, "out", "", "write to this `file` instead of standard output")
			return f.run
		},
	}
}

func (f *exportation) run(ctx context.Context, c call) error {
	entity, err := schema.Lookup(c.args[0])
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.format != "ndjson" && f.format != "csv" {
		return fmt.Errorf("%w: --format is %q, want ndjson or csv", errUsage, f.format)
	}
	if err := f.read(c.environ); err != nil {
		return err
	}
	log := slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, slog.LevelWarn))
	// Told to stop, it has not done what it was asked for.
	end := errors.New("stopped before the last row was written")
	err = untilStopped(ctx, log, func(ctx context.Context) error {
		end = f.export(ctx, entity, c)
		return nil
	})
	return errors.Join(err, end)
}

func (f *exportation) export(ctx context.Context, entity schema.Entity, c call) error {
	if f.out == "" {
		return f.write(ctx, entity, c.stdout, c.stderr)
	}
	return writeWhole(f.out, func(w io.Writer) error { return f.write(ctx, entity, w, c.stderr) })
}

// write streams the rows from the server to w: no more than a buffer of them is in
// memory.
func (f *exportation) write(ctx context.Context, entity schema.Entity, w, stderr io.Writer) error {
	pool, err := connect.Postgres(ctx, f.set.DatabaseURL, func(cfg *pgxpool.Config) {
		params := cfg.ConnConfig.RuntimeParams
		params["application_name"] = "odastream export"
		params["statement_timeout"] = "0" // it takes as long as whoever reads it
		params["jit"] = "off"
	})
	if err != nil {
		return err
	}
	defer pool.Close()
	buffer := bufio.NewWriterSize(w, 1<<20)
	var rows int64
	// One snapshot for the names of the members and the rows.
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, pool, snapshot, func(tx pgx.Tx) error {
		query, err := f.query(ctx, tx, entity)
		if err != nil {
			return err
		}
		tag, err := tx.Conn().PgConn().CopyTo(ctx, buffer, query)
		rows = tag.RowsAffected()
		return err
	})
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", entity.Name, err)
	}
	fmt.Fprintf(stderr, "%d rows of %s\n", rows, entity.Name)
	return nil
}

// query copies the rows out. The text of a jsonb has no control characters, so with
// these as its signs CSV writes each row as it is, a line each.
func (f *exportation) query(ctx context.Context, tx pgx.Tx, entity schema.Entity) (string, error) {
	const from = ` FROM parliamentary_data WHERE entity_type = %s ORDER BY entity_id`
	if f.format == "ndjson" {
		return fmt.Sprintf(`COPY (SELECT data`+from+`) TO STDOUT (FORMAT csv, QUOTE E'\x01', ESCAPE E'\x01', DELIMITER E'\x02')`, sqlText(entity.Name)), nil
	}
	members, err := membersOf(ctx, tx, entity)
	if err != nil {
		return "", err
	}
	columns := make([]string, len(members))
	for i, name := range members {
		columns[i] = "data ->> " + sqlText(name) + " AS " + pgx.Identifier{name}.Sanitize()
	}
	return fmt.Sprintf(`COPY (SELECT `+strings.ReplaceAll(strings.Join(columns, ", "), "%", "%%")+from+`) TO STDOUT (FORMAT csv, HEADER)`, sqlText(entity.Name)), nil
}

// membersOf names the members that the rows have: those that are known of the
// entity in the source's order, then whatever else a row has.
func membersOf(ctx context.Context, tx pgx.Tx, entity schema.Entity) ([]string, error) {
	var names []string
	for _, field := range entity.Fields {
		names = append(names, field.Name)
	}
	const query = `SELECT DISTINCT k FROM parliamentary_data p, jsonb_object_keys(p.data) k
WHERE p.entity_type = $1 AND jsonb_typeof(p.data) = 'object' AND k <> ALL ($2) ORDER BY k`
	rows, err := tx.Query(ctx, query, entity.Name, names)
	if err != nil {
		return nil, err
	}
	more, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return slices.Concat(names, more), err
}

// sqlText quotes a text where COPY takes no parameters.
func sqlText(text string) string {
	return `E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + `'`
}
