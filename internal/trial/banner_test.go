package trial

import (
	"os/exec"
	"strings"
	"testing"
)

func TestPsqlCommandNamesAllThatAVariableCouldChange(t *testing.T) {
	t.Parallel()
	got := psqlCommand(t.Context(), "postgres:///odastream?host=%2Ftmp%2Fit%27s+here%2Frun&port=5432&user=postgres")
	if want := `psql -h '/tmp/it'\''s here/run' -p 5432 -U postgres odastream`; !strings.HasSuffix(got, want) {
		t.Errorf("psqlCommand = %s, want %s", got, want)
	}
}

func TestQuotedIsOneWordOfAShell(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"plain/path-1.2_x", "two words", "it's", "$HOME", "a;b", "", "ægir", `back\slash`, "new\nline"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+quoted(word)).Output() //nolint:gosec // it is what is tested
		if err != nil || string(out) != word {
			t.Errorf("sh read quoted(%q) as %q, %v", word, out, err)
		}
	}
}
