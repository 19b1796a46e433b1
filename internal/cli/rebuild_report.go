package cli

import (
	"fmt"
	"io"
	"time"

	"odastream/internal/console"
	"odastream/rebuild"
)

// rebuildProgress reports how far a rebuild is, and the time left.
type rebuildProgress struct {
	line   *console.Progress
	entity string
	now    func() time.Time

	comparing bool
	began     time.Time // start of the current part
}

func (p *rebuildProgress) set(at rebuild.Progress) {
	if p.began.IsZero() || p.comparing != at.Comparing {
		p.began, p.comparing = p.now(), at.Comparing
	}
	p.line.Set(p.text(at))
}

func (p *rebuildProgress) text(at rebuild.Progress) string {
	what, unit := "reading the topic", "offsets"
	if at.Comparing {
		what, unit = "comparing", "rows"
	}
	text := fmt.Sprintf("%s: %s, %d of %d %s", p.entity, what, at.Done, at.All, unit)
	spent := p.now().Sub(p.began)
	if at.Done == 0 || spent < time.Second {
		return text
	}
	left := time.Duration(float64(spent) / float64(at.Done) * float64(at.All-at.Done))
	return text + fmt.Sprintf(", about %s left", left.Round(time.Second))
}

// writeRebuild prints the report for people.
func writeRebuild(w io.Writer, r rebuild.Report) error {
	_, err := fmt.Fprintf(w, "%s: the topic %s has %d rows (%d records read), the cache had %d\n", r.Entity, r.Topic, r.InTopic, r.Records, r.InCache)
	for _, line := range []struct {
		what string
		keys rebuild.Keys
	}{
		{"missing from the cache", r.Missing},
		{"not as the topic has them", r.Different},
		{"not in the topic", r.Extra},
		{"deletes not remembered", r.Undeleted},
		{"lost by the topic " + r.Topic + ", as the poller's ledger says, and not deleted", r.Lost},
		{"refused by Postgres: see odastream dlq list", r.Refused},
	} {
		if line.keys.Count > 0 {
			fmt.Fprintf(w, "  %d %s: %s\n", line.keys.Count, line.what, someIDs(r.Entity, line.keys.IDs, line.keys.Count))
		}
	}
	if r.Pending > 0 {
		fmt.Fprintf(w, "  %d rows have changes that the sink has not applied yet: they are left to it\n", r.Pending)
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(w, "  of %d rows the topic holds only what cannot be read: see odastream dlq list\n", r.Unreadable)
	}
	if r.Lost.Count > 0 {
		fmt.Fprintf(w, "  let the poller fill the topic again: odastream scan %s asks for it now; then run rebuild again. --delete-lost deletes the rows\n", r.Entity)
	}
	switch {
	case r.Damage() == 0:
		fmt.Fprintln(w, "no difference")
	case r.DryRun:
		fmt.Fprintf(w, "%d differences; nothing was changed (--dry-run)\n", r.Damage())
	default:
		fmt.Fprintf(w, "%d differences, %d mended\n", r.Damage(), r.Mended)
	}
	return err
}
