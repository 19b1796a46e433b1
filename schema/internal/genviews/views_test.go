package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/schema"
)

func TestMigrationIsWhatIsGenerated(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(filepath.Join("..", "..", "migrations", "00003_views.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(render(schema.Entities())), string(got)); diff != "" {
		t.Errorf("00003_views.sql is not what genviews makes; run go generate ./schema/... (-want +got):\n%s", diff)
	}
}

func TestRenderQuotesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	sql := string(render([]schema.Entity{{Name: "O'Sag", Suffix: "o_sag", Fields: []schema.Field{
		{Name: "id", Type: "Edm.Int32"},
		{Name: `a"b'c`, Type: "Edm.Int32", Nullable: true},
		{Name: "beløb", Type: "Edm.Decimal"},
		{Name: "stort", Type: "Edm.Int64"},
		{Name: "dato", Type: "Edm.DateTime"},
		{Name: "ukendt", Type: "Edm.Geography"},
	}}}))
	for _, want := range []string{
		`CREATE VIEW parliament."o_sag" AS SELECT`,
		`p.entity_id AS "id"`,
		`parliament.as_integer(p.data -> 'a"b''c') AS "a""b'c"`,
		`parliament.as_numeric(p.data ->> 'beløb') AS "beløb"`,
		`parliament.as_bigint(p.data ->> 'stort') AS "stort"`,
		`parliament.as_timestamp(p.data ->> 'dato') AS "dato"`,
		`    p.data ->> 'ukendt' AS "ukendt"`,
		`WHERE p.entity_type = 'O''Sag';`,
		`COMMENT ON COLUMN parliament."o_sag"."a""b'c" IS 'Edm.Int32, may be null at the source';`,
	} {
		if !strings.Contains(sql, want) {
			t.Errorf("render has no %s", want)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "views.sql")
	for claim, tt := range map[string]struct {
		args []string
		want int
	}{
		"writes the file":     {[]string{file}, 0},
		"cannot write it":     {[]string{filepath.Join(file, "below", "a", "file")}, 1},
		"does not know which": {nil, 2},
	} {
		var stderr bytes.Buffer
		if got := run(tt.args, &stderr); got != tt.want || (got != 0) != (stderr.Len() > 0) {
			t.Errorf("%s: run(%q) = %d, stderr %q, want %d", claim, tt.args, got, stderr.String(), tt.want)
		}
	}
}
