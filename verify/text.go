package verify

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// mostShown limits how many differing rows of an entity are printed.
const mostShown = 20

// WriteText prints the report for people: the sentence, the frontier, a table,
// and the rows that differ. Its error is w's.
func (r Report) WriteText(w io.Writer) error {
	fmt.Fprintln(w, r.Sentence)
	fmt.Fprintf(w, "nothing is outstanding of what the source was %s\n\n", frontier(r.ConsistentThrough))
	table := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, strings.Join([]string{
		"entity", "source", "ledger", "topic", "cache", "missing", "extra", "different", "moving", "compared", "deleted", "expired", "dead", "consistent through", "",
	}, "\t"))
	for _, e := range r.Entities {
		fmt.Fprintln(table, strings.Join(e.columns(), "\t")+"\t")
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range r.Entities {
		if err := e.writeDetails(w); err != nil {
			return err
		}
	}
	return nil
}

func frontier(t *time.Time) string {
	if t == nil {
		return "at any known moment: not every entity has had a scan that left nothing outstanding"
	}
	return "at " + t.Format(time.RFC3339)
}

// columns returns the entity's line of the table.
func (e Entity) columns() []string {
	line := []string{e.Name}
	topic := "-"
	if e.Topic != nil {
		topic = strconv.FormatInt(*e.Topic, 10)
	}
	line = append(line, strconv.FormatInt(e.Source, 10), strconv.FormatInt(e.Ledger, 10), topic, strconv.FormatInt(e.Cache, 10))
	for _, n := range []int{e.Missing, e.Extra, e.Different, e.Moving} {
		text := strconv.Itoa(n)
		if e.AtLeast && n > 0 {
			text += "+"
		}
		line = append(line, text)
	}
	for _, n := range []int64{e.Compared, e.Deleted, e.Expired, e.DeadLetters} {
		line = append(line, strconv.FormatInt(n, 10))
	}
	through := "-"
	if e.ConsistentThrough != nil {
		through = e.ConsistentThrough.Format(time.RFC3339)
	}
	return append(line, through)
}

// writeDetails prints what the table has no column for.
func (e Entity) writeDetails(w io.Writer) error {
	var b strings.Builder
	if e.Absent {
		fmt.Fprintf(&b, "\n%s: the source has never had it\n", e.Name)
	}
	if e.Trouble != "" {
		fmt.Fprintf(&b, "\n%s: %s\n", e.Name, e.Trouble)
	}
	if len(e.Differences) > 0 {
		b.WriteByte('\n')
	}
	for i, d := range e.Differences {
		if i == mostShown {
			fmt.Fprintf(&b, "%s: %d more, which --json lists\n", e.Name, len(e.Differences)-i)
			break
		}
		fmt.Fprintf(&b, "%s/%d: %s\n", e.Name, d.ID, d)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteText prints the explanation for people, the verdict first. Its error is
// w's.
func (x Explanation) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s/%d: %s\n\n", x.Entity, x.ID, x.Verdict)
	table := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	for _, line := range x.lines() {
		fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
	}
	return table.Flush()
}

// lines returns the places and what each says.
func (x Explanation) lines() [][2]string {
	lines := [][2]string{{"source", "no such row"}, {"ledger", "not known"}, {"cache", "no row"}}
	switch {
	case x.SourceError != "":
		lines[0][1] = "no answer: " + x.SourceError
	case x.Source != nil:
		lines[0][1] = fmt.Sprintf("stamped %s, content %s", orNone(x.Source.Opdateringsdato), x.Source.Hash)
	}
	if l := x.Ledger; l != nil {
		lines[1][1] = l.State
		if !l.At.IsZero() {
			lines[1][1] += fmt.Sprintf(", seq %d (%s)", l.Seq, l.At.Format(time.RFC3339Nano))
		}
		if l.Hash != "" {
			lines[1][1] += fmt.Sprintf(", stamped %s, content %s", orNone(l.Opdateringsdato), l.Hash)
		}
	}
	if c := x.Cache; c != nil {
		lines[2][1] = fmt.Sprintf("seq %d (%s), created %s, updated %s",
			c.Seq, c.At.Format(time.RFC3339Nano), c.CreatedAt.Format(time.RFC3339), c.UpdatedAt.Format(time.RFC3339))
		if c.ExpiresAt != nil {
			lines[2][1] += ", expires " + c.ExpiresAt.UTC().Format(time.RFC3339)
		}
	}
	if d := x.Deleted; d != nil {
		name := "deleted"
		if d.Expired {
			name = "expired"
		}
		lines = append(lines, [2]string{name, fmt.Sprintf("seq %d (%s), here at %s", d.Seq, d.At.Format(time.RFC3339Nano), d.DeletedAt.Format(time.RFC3339))})
	}
	for _, l := range x.DeadLetters {
		lines = append(lines, [2]string{"dead letter", fmt.Sprintf("%s, %s/%d at %d, %s: %s", l.State, l.Topic, l.Partition, l.Offset, l.Class,
			strings.Join(strings.Fields(l.Error), " "))})
	}
	return lines
}

func orNone(stamp string) string {
	if stamp == "" {
		return "(null)"
	}
	return stamp
}
