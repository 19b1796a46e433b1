package settings

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
)

// Usage prints a table of the variables of the struct that of points to: name, default,
// meaning and accepted values. It does not show the values in of.
func Usage(w io.Writer, of any) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VARIABLE\tDEFAULT\tMEANING")
	for _, v := range variables(reflect.ValueOf(of).Elem(), "") {
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.name, v.defaultText(), v.meaning())
	}
	return table.Flush()
}

func (v variable) defaultText() string {
	switch {
	case v.required:
		return "(required)"
	case v.fallback != "":
		return v.fallback
	case v.field.Kind() == reflect.Bool:
		return "false"
	case v.field.CanInt(), v.field.CanUint(), v.field.CanFloat():
		return "0"
	}
	return "(none)"
}

func (v variable) meaning() string {
	bounded := v.oneof != nil || v.min != "" || v.max != "" || v.above != ""
	if !bounded {
		return v.help
	}
	return strings.TrimSpace(v.help + " (" + v.wanted() + ")")
}

// Row is one variable in the form for a document.
type Row struct {
	Name    string // "KAFKA_BROKERS"
	Default string // as one would write it; "(required)" or "(none)"
	Meaning string // help, and the range if there is one
}

// Rows returns the variables of the struct that of points to, to generate or test
// documents.
func Rows(of any) []Row {
	vars := variables(reflect.ValueOf(of).Elem(), "")
	rows := make([]Row, len(vars))
	for i, v := range vars {
		rows[i] = Row{v.name, v.defaultText(), v.meaning()}
	}
	return rows
}
