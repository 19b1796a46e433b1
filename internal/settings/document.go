package settings

import (
	"fmt"
	"strings"
)

// Undocumented returns the variables, of the struct that of points to, for which the
// Markdown text document has no correct row: `NAME`, its default, and at the row's end
// its meaning.
func Undocumented(document string, of any) []string {
	var missing []string
	for _, row := range Rows(of) {
		if !documented(document, row) {
			missing = append(missing, fmt.Sprintf("%s, default %s: %s", row.Name, row.Default, row.Meaning))
		}
	}
	return missing
}

func documented(document string, row Row) bool {
	for line := range strings.Lines(document) {
		rest, found := strings.CutPrefix(line, "| `"+row.Name+"` | ")
		if !found {
			continue
		}
		fallback, meaning, _ := strings.Cut(rest, " | ")
		return strings.HasSuffix(strings.TrimSuffix(strings.TrimSpace(meaning), " |"), row.Meaning) &&
			(row.Default == "(none)" || strings.Contains(fallback, row.Default))
	}
	return false
}
