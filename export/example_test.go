package export_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"odastream/cache"
	"odastream/export"
	"odastream/internal/test/example"
	"odastream/query"
	"odastream/schema"
)

// Write streams the rows that a condition selects, one a line.
func ExampleWrite() {
	t := example.New()
	defer t.End()
	ctx, pool := context.Background(), t.Pool() // to a migrated database
	_, err := pool.Exec(ctx, `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES
	    ('Sag', 7, '{"id":7,"titel":"Om brød"}', 10), ('Sag', 9, '{"id":9,"titel":"Om smør"}', 11)`)
	if err != nil {
		log.Fatal(err)
	}
	sag, err := schema.Lookup("Sag")
	if err != nil {
		log.Fatal(err)
	}

	from := export.Copy{Rows: cache.NewReader(pool), Requests: query.NewReader(pool)}
	request, err := export.Select(sag, "id gt 7", "")
	if err != nil {
		log.Fatal(err)
	}
	n, err := export.Write(ctx, from, request, export.JSON, os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "rows")
	// Output:
	// {"id": 9, "titel": "Om smør"}
	// 1 rows
}
