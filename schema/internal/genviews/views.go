package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"odastream/schema"
)

//go:embed functions.sql
var functions string

// render returns the whole migration: the functions, then a view an entity.
func render(entities []schema.Entity) []byte {
	var b bytes.Buffer
	b.WriteString(functions)
	for _, e := range entities {
		writeView(&b, e)
	}
	b.WriteString("\n-- +goose Down\nDROP SCHEMA parliament CASCADE;\n")
	return b.Bytes()
}

func writeView(b *bytes.Buffer, e schema.Entity) {
	view := "parliament." + identifier(e.Suffix)
	columns := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		columns[i] = fmt.Sprintf("    %s AS %s", expression(f), identifier(f.Name))
	}
	fmt.Fprintf(b, "\nCREATE VIEW %s AS SELECT\n%s\nFROM parliamentary_data p WHERE p.entity_type = %s;\n",
		view, strings.Join(columns, ",\n"), literal(e.Name))
	fmt.Fprintf(b, "COMMENT ON VIEW %s IS %s;\n", view, literal("Current rows of the entity set "+e.Name+"."))
	for _, f := range e.Fields {
		fmt.Fprintf(b, "COMMENT ON COLUMN %s.%s IS %s;\n", view, identifier(f.Name), literal(comment(f)))
	}
}

// expression reads one column. The key and the stamp have columns of their own
// in the cache, which the primary key and a reader's filter can use.
func expression(f schema.Field) string {
	switch f.Name {
	case "id":
		return "p.entity_id"
	case "opdateringsdato":
		return "p.opdateringsdato"
	}
	asJSON, asText := "p.data -> "+literal(f.Name), "p.data ->> "+literal(f.Name)
	switch f.Type {
	case "Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32":
		return "parliament.as_integer(" + asJSON + ")"
	case "Edm.Int64":
		return "parliament.as_bigint(" + asText + ")"
	case "Edm.Decimal", "Edm.Double", "Edm.Single":
		return "parliament.as_numeric(" + asText + ")"
	case "Edm.Boolean":
		return "parliament.as_boolean(" + asJSON + ")"
	case "Edm.DateTime":
		return "parliament.as_timestamp(" + asText + ")"
	}
	return asText
}

func comment(f schema.Field) string {
	text := f.Type
	if f.Type == "Edm.DateTime" {
		text += ", Danish wall clock"
	}
	if f.Nullable {
		return text + ", may be null at the source"
	}
	return text
}

func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
