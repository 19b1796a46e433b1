package migrate

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"odastream/internal/session"
	"odastream/schema"
)

// Pending returns the files that Up would apply to the database, in order, and changes
// nothing. It returns ErrNewer for a database with newer migrations.
func Pending(ctx context.Context, databaseURL string) ([]string, error) {
	files, err := fs.Glob(schema.Migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	applied, err := appliedVersions(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("read version of the database: %w", err)
	}
	var pending []string
	var newest int64
	for _, file := range files { // Glob sorts them
		version, err := goose.NumericComponent(file)
		if err != nil {
			return nil, fmt.Errorf("read version of %s: %w", file, err)
		}
		newest = max(newest, version)
		if !slices.Contains(applied, version) {
			pending = append(pending, file)
		}
	}
	if len(applied) > 0 && slices.Max(applied) > newest {
		return nil, fmt.Errorf("read version of the database: it has %d, this build has %d: %w", slices.Max(applied), newest, ErrNewer)
	}
	return pending, nil
}

// appliedVersions reads goose's table; goose itself would create the table to read it.
func appliedVersions(ctx context.Context, databaseURL string) ([]int64, error) {
	conn, err := session.Connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var known bool
	err = conn.QueryRow(ctx, "SELECT to_regclass('"+goose.DefaultTablename+"') IS NOT NULL").Scan(&known)
	if err != nil || !known {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT version_id FROM "+goose.DefaultTablename+" WHERE is_applied")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
