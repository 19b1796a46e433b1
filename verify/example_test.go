package verify_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/test/pgtest"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/verify"
)

// Verify compares each row of the source with the ledger and the cache. Here the
// source has a row that neither of them has.
func ExampleVerifier_Verify() {
	url, drop := pgtest.Database() // a migrated database
	defer drop()
	parliament := odasim.New(odasim.Options{})
	if err := parliament.Put("Sag", []byte(`{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}`)); err != nil {
		log.Fatal(err)
	}
	source := httptest.NewServer(parliament)
	defer source.Close()

	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	client, err := oda.New(oda.Config{URL: source.URL + odasim.Root}, quiet, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	sag, err := schema.Lookup("Sag")
	if err != nil {
		log.Fatal(err)
	}

	load(ctx, pool, "Sag") // as if a poller had read the set while it was empty

	verifier := verify.New(client, checkpoint.New(pool), cache.NewReader(pool))
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
