package survey

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"odastream/capture"
)

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "database  %s rows, %s\n", orUnknown(r.Rows), r.deadLetters())
	fmt.Fprintf(w, "poller    %s\n", r.Poller.text(r.states()))
	fmt.Fprintf(w, "sink      %s\n\n", r.Sink.text(strconv.FormatInt(r.Sink.Lag, 10)+" records behind"))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTITY\tROWS\tSTATE\tSEEN UP TO\tLOADED\tAPPLIED\tBEHIND\tDEAD\t")
	for _, e := range r.Entities {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t\n", e.Entity, orUnknown(e.Rows), e.state(),
			ago(r.At, e.Watermark), ago(r.At, e.LoadedAt), ago(r.At, e.AppliedAt), e.Lag, e.DeadLetters)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print status: %w", err)
	}
	for _, e := range r.Entities {
		if e.Reason != "" {
			fmt.Fprintf(w, "\n%s: %s\n", e.Entity, e.Reason)
		}
	}
	return nil
}

func (r Report) deadLetters() string {
	var n int64
	for _, e := range r.Entities {
		n += e.DeadLetters
	}
	if n == 0 {
		return "no dead letters"
	}
	return strconv.FormatInt(n, 10) + " dead letters open"
}

// states counts the entities by their state at the poller.
func (r Report) states() string {
	text, counts := "", map[capture.State]int{}
	for _, e := range r.Entities {
		counts[e.State]++
	}
	for _, state := range []capture.State{
		capture.StateFollowing, capture.StateScanning, capture.StateLoading, capture.StateFolding,
		capture.StateWaiting, capture.StateFailed, capture.StateAbsent, capture.StateDone,
	} {
		if counts[state] > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", counts[state], state)
		}
	}
	return text
}

func (d Daemon) text(doing string) string {
	switch {
	case !d.OK && d.Addr == "":
		return d.Reason
	case !d.OK:
		return d.Addr + ": " + d.Reason
	case d.Reason != "":
		return d.Addr + ": " + doing + "; " + d.Reason
	default:
		return d.Addr + ": " + doing
	}
}

// state returns the state that the poller reports, or that its lease shows.
func (e Entity) state() string {
	switch {
	case e.State != "":
		return string(e.State)
	case e.Holder != "":
		return "held by " + e.Holder
	default:
		return "-"
	}
}

func orUnknown(n *int64) string {
	if n == nil {
		return "?"
	}
	return strconv.FormatInt(*n, 10)
}

// ago returns the time since a moment, as text.
func ago(now, at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	d := max(now.Sub(at), 0)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
