// Command genviews writes the migration with the typed view of each entity, from
// the entities that package schema knows.
//
// Invariant: a value that does not fit its column's type is null in the view, never an
// error, so that one odd row cannot spoil a reader's query. It knows nothing of a
// running database.
package main

import (
	"fmt"
	"io"
	"os"

	"odastream/schema"
)

//go:generate go run . ../../migrations/00003_views.sql

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run writes the file that args name. Exit status: 0 written, 1 not writable, 2
// no file or more than one named.
func run(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: genviews FILE")
		return 2
	}
	if err := os.WriteFile(args[0], render(schema.Entities()), 0o644); err != nil {
		fmt.Fprintf(stderr, "genviews: write migration: %v\n", err)
		return 1
	}
	return 0
}
