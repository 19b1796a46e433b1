package verify_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/test/example"
	"odastream/schema"
	"odastream/verify"
)

// Verify compares each row of the source with the ledger and the cache. Here the
// source has a row that neither of them has.
func ExampleVerifier_Verify() {
	t := example.New()
	defer t.End()
	ctx, pool := context.Background(), t.Pool() // to a migrated database
	source := t.Source("Sag", `{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}`)
	sag, err := schema.Lookup("Sag")
	if err != nil {
		log.Fatal(err)
	}

	load(ctx, pool, "Sag") // as if a poller had read the set while it was empty

	verifier := verify.New(source, checkpoint.New(pool), cache.NewReader(pool))
	report, err := verifier.Verify(ctx, []schema.Entity{sag}, verify.Options{Full: true, Patience: time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the copy is complete:", report.OK)
	for _, entity := range report.Entities {
		for _, d := range entity.Differences {
			fmt.Println(entity.Name, d.ID, d)
		}
	}
	// Output:
	// the copy is complete: false
	// Sag 7 missing in the ledger and in the cache
}

// load records that the first load of an entity is complete.
func load(ctx context.Context, pool *pgxpool.Pool, entity string) {
	store := checkpoint.New(pool)
	lease, err := store.Acquire(ctx, entity, "poller-1", time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Save(ctx, lease, checkpoint.Progress{LoadedAt: time.Now()}); err != nil {
		log.Fatal(err)
	}
}
