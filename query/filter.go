package query

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// FilterError says that the value of a filter is not allowed.
type FilterError struct {
	Parameter string   // the filter's name, such as "session"
	Value     string   // as it was given
	Want      string   // what is allowed, in words
	Allowed   []string // each allowed value, where they can be counted
}

// Error names the filter, its value and what is allowed.
func (e *FilterError) Error() string {
	const most = 12
	text := fmt.Sprintf("%s is %.100q, want %s", e.Parameter, e.Value, e.Want)
	if len(e.Allowed) == 0 {
		return text
	}
	text += ": " + strings.Join(e.Allowed[:min(most, len(e.Allowed))], ", ")
	if len(e.Allowed) > most {
		text += " and others"
	}
	return text
}

// A text that is searched for has at most so many characters and words: each word is
// looked for in each row.
const (
	maxSearched = 200
	maxWords    = 10
)

// contains adds the condition that each word of a text is a part of one of the columns,
// without regard to case.
func (l *listing) contains(parameter, text string, columns ...string) error {
	words := strings.Fields(text)
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || utf8.RuneCountInString(text) > maxSearched || len(words) > maxWords {
		want := fmt.Sprintf("at most %d words and %d characters, in UTF-8 and without NUL", maxWords, maxSearched)
		return &FilterError{Parameter: parameter, Value: text, Want: want}
	}
	for _, word := range words {
		pattern := lower(l.arg("%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word)+"%", "text"))
		var found []string
		for _, column := range columns {
			found = append(found, lower(column)+" LIKE "+pattern)
		}
		l.add("(" + strings.Join(found, " OR ") + ")")
	}
	return nil
}

// between adds the condition that a time lies within days, the last one included. An
// empty day bounds nothing.
func (l *listing) between(column, from, to string) error {
	for _, bound := range []struct{ parameter, day, condition string }{
		{"from", from, "%s >= %s"},
		{"to", to, "%s < %s + 1"},
	} {
		if bound.day == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, bound.day)
		if err != nil || day.Year() < 1 {
			return &FilterError{Parameter: bound.parameter, Value: bound.day, Want: "a day such as 2026-01-31"}
		}
		l.add(fmt.Sprintf(bound.condition, column, l.arg(day, "date")))
	}
	return nil
}

// among adds the condition that a row's id is among those that a statement gives for the
// id of another row. Without that id it adds nothing.
func (l *listing) among(parameter, id, column, statement string) error {
	if id == "" {
		return nil
	}
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil || n < 0 {
		return &FilterError{Parameter: parameter, Value: id, Want: "an id, a whole number"}
	}
	l.add(fmt.Sprintf("%s IN (%s = %s)", column, statement, l.arg(n, "bigint")))
	return nil
}

// nameFilter is a filter by a name that rows of the source have.
type nameFilter struct {
	parameter string
	value     string   // "" filters nothing
	rows      string   // the view of the rows that have the names
	columns   []string // those of the view that hold a name
	want      string   // what is allowed, in words
	// condition is what holds of the list's rows, of an array of ids (%[1]s).
	condition string
}

// bySession returns the filter by a Periode.
func bySession(value, condition string) nameFilter {
	return nameFilter{"session", value, "parliament.periode", []string{"kode", "titel"}, "the code or the title of a Periode", condition}
}

// byParty returns the filter by a party group. Those of all periods have its name.
func byParty(value, condition string) nameFilter {
	return nameFilter{
		"party", value, "parliament.aktoer WHERE typeid = 4",
		[]string{"gruppenavnkort", "navn"},
		"the short or the full name of a Folketingsgruppe", condition,
	}
}

// byType returns the filter by the name of a type.
func byType(value, entity, view, condition string) nameFilter {
	return nameFilter{"type", value, view, []string{"type"}, "the name of a row of " + entity, condition}
}

// byStatus returns the filter by the name of a status.
func byStatus(value, entity, view, condition string) nameFilter {
	return nameFilter{"status", value, view, []string{"status"}, "the name of a row of " + entity, condition}
}

// named adds the conditions of filters by names. All rows that have the names are read
// in one statement, and in none if there is no such filter.
func (l *listing) named(ctx context.Context, tx pgx.Tx, filters ...nameFilter) error {
	filters = slices.DeleteFunc(filters, func(f nameFilter) bool { return f.value == "" })
	if len(filters) == 0 {
		return nil
	}
	var parts []string
	for i, f := range filters {
		parts = append(parts, fmt.Sprintf("(SELECT id, ARRAY[%s], %d::bigint FROM %s ORDER BY id DESC)", strings.Join(f.columns, ", "), i, f.rows))
	}
	type row struct {
		ID    int64
		Names []*string
	}
	rows, err := collectBy[row](ctx, tx, strings.Join(parts, " UNION ALL "))
	if err != nil {
		return err
	}
	for i, f := range filters {
		ids, allowed := []int64{}, []string(nil)
		for _, r := range rows[int64(i)] {
			if slices.ContainsFunc(r.Names, f.is) {
				ids = append(ids, r.ID)
			}
			allowed = appendNames(allowed, r.Names)
		}
		if len(ids) == 0 {
			return &FilterError{Parameter: f.parameter, Value: f.value, Want: f.want, Allowed: allowed}
		}
		l.add(fmt.Sprintf(f.condition, l.arg(ids, "bigint[]")))
	}
	return nil
}

// is reports whether a name is the filter's, without regard to case and blanks around it.
func (f nameFilter) is(name *string) bool {
	wanted := strings.TrimSpace(f.value)
	return name != nil && wanted != "" && strings.EqualFold(strings.TrimSpace(*name), wanted)
}

// appendNames adds to a list of names those that it lacks.
func appendNames(list []string, names []*string) []string {
	for _, n := range names {
		if n == nil || strings.TrimSpace(*n) == "" || slices.Contains(list, strings.TrimSpace(*n)) {
			continue
		}
		list = append(list, strings.TrimSpace(*n))
	}
	return list
}
