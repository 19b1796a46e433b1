package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"odastream/internal/console"
)

// log returns a logger for people: each record is a line on stderr.
func (c call) log(level slog.Level) *slog.Logger {
	return slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, level))
}

// progress shows on stderr how far the work is.
func (c call) progress() *console.Progress {
	return console.NewProgress(c.rawErr, c.log(slog.LevelInfo))
}

// printf prints for people. It returns stdout's error.
func (c call) printf(format string, args ...any) error {
	return printErr(fmt.Fprintf(c.stdout, format, args...))
}

// printObject prints v as one JSON object of several lines.
func (c call) printObject(v any) error { return encode(c.rawOut, v, "  ") }

// printLine prints v as one line of JSON.
func (c call) printLine(v any) error { return encode(c.rawOut, v, "") }

func encode(out io.Writer, v any, indent string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(v); err != nil {
		return printErr(0, err)
	}
	return printErr(io.WriteString(out, console.VisibleJSON(text.String())))
}

// printErr marks an error as one of printing.
func printErr(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// newTable returns a table of columns separated by tabs. Flush prints it.
func newTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 2, 0, 2, ' ', 0) }

// flush prints a table.
func flush(table *tabwriter.Writer) error { return printErr(0, table.Flush()) }

// oneLine joins the lines of a text, so that it fits into a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// someIDs lists rows of an entity: ids are the first of all of them.
func someIDs(entity string, ids []int64, all int) string {
	var some []string
	for _, id := range ids {
		some = append(some, fmt.Sprintf("%s/%d", entity, id))
	}
	if n := all - len(some); n > 0 {
		some = append(some, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(some, ", ")
}
