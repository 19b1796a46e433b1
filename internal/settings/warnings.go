package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Warnings returns a warning for each variable in environ that begins like the project's
// own but that no program knows, with the nearest known name: "POLL_INTERVALL is unknown:
// is POLL_INTERVAL meant?". of points to this program's settings. prefixes are the
// project's. others are the variables of other programs in the same environment, and
// cause no warning.
func Warnings(environ []string, of any, prefixes, others []string) []string {
	known := slices.Clone(others)
	for _, v := range variables(reflect.ValueOf(of).Elem(), "") {
		known = append(known, v.name)
	}
	var out []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		ours := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		if !ours || slices.Contains(known, name) {
			continue
		}
		line := name + " is unknown and has no effect"
		if near := nearest(name, known); near != "" {
			line = fmt.Sprintf("%s is unknown and has no effect: is %s meant?", name, near)
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// nearest returns the nearest known name, or "" if it is more than a third of name's
// length in edits away.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, k := range known {
		if d := edits(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits returns the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := corner
			if a[i-1] != b[j-1] {
				cost++
			}
			corner = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
