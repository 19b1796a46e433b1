package settings

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUndocumentedNamesWhatADocumentHasWrong(t *testing.T) {
	t.Parallel()
	var of struct {
		Right   int    `env:"RIGHT" envDefault:"3" help:"as it is"`
		Default int    `env:"DEFAULT" envDefault:"4" help:"another default"`
		Meaning string `env:"MEANING" help:"another meaning"`
		Absent  string `env:"ABSENT" help:"no row at all"`
	}
	document := "| `RIGHT` | `3` | poller: as it is |\n| `DEFAULT` | `5` | another default |\n| `MEANING` |  | something else |\n"
	want := []string{
		"DEFAULT, default 4: another default", "MEANING, default (none): another meaning", "ABSENT, default (none): no row at all",
	}
	if diff := cmp.Diff(want, Undocumented(document, &of)); diff != "" {
		t.Errorf("Undocumented (-want +got):\n%s", diff)
	}
}
