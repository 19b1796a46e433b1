package schema

import "embed"

// Migrations holds the SQL of every table, partition, index and view in goose's
// format, under "migrations". internal/migrate runs them.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// ChangeSchema is the JSON Schema (2020-12) of a record's value.
//
//go:embed change.schema.json
var ChangeSchema []byte
