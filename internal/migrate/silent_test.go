package migrate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"odastream/internal/migrate"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
)

// A program that falls silent while it migrates, whatever it has sent, keeps the lock of
// the migrations for seconds, and not for as long as its connection lives.
func TestASilentMigratorHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	files := migrations(map[int]string{1: "CREATE TABLE a (id int);", 2: "CREATE TABLE b (id int);"})
	whole := 0
	for step := range 7 {
		address := pgtest.Empty(t)
		silent, proxy := pgtest.Proxied(t, address, nil)
		if step == 0 {
			if err := migrate.UpFiles(t.Context(), silent, files, quiet()); err != nil {
				t.Fatal(err)
			}
			whole = proxy.Sent()
			continue
		}
		t.Run(fmt.Sprintf("after %d sixths", step), func(t *testing.T) {
			t.Parallel()
			tripped := proxy.SilentAfter(whole * step / 7)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = migrate.UpFiles(ctx, silent, files, quiet()) }()
			<-tripped
			began := time.Now()
			if err := migrate.UpFiles(t.Context(), address, files, quiet()); err != nil {
				t.Errorf("Up beside a silent program = %v", err)
			}
			if took, most := time.Since(began), machine.AtLeast(20*time.Second); took > most {
				t.Errorf("Up beside a silent program took %s, want %s at most", took, most)
			}
			proxy.Down()
			cancel()
			<-ended
		})
	}
}
