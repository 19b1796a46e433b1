package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"

	"odastream/dlq"
	"odastream/stream"
)

// dlqShowFlags are the command line of dlq show.
type dlqShowFlags struct{ dlqFlags }

func dlqShowCommand() command {
	return command{
		name: "dlq show", args: "LETTER", about: "Show one record that could not be applied, why, and what would mend it.", more: dlqMore,
		flags: func(set *flag.FlagSet) action {
			f := &dlqShowFlags{}
			f.declare(set)
			return f.run
		},
	}
}

func (f *dlqShowFlags) run(ctx context.Context, c call) error {
	at, err := dlq.ParseID(c.args[0])
	if err != nil {
		return fmt.Errorf("%w: %w as dlq list prints it", errUsage, err)
	}
	return f.open(ctx, c, func(ctx context.Context, q *dlq.Queue) error {
		record, err := q.Show(ctx, at)
		switch {
		case errors.Is(err, dlq.ErrNone):
			return fmt.Errorf("%w: odastream dlq list --all shows what there is", err)
		case err != nil:
			return err
		case f.json:
			return c.printLine(record)
		}
		return printRecord(c, record)
	})
}

func printRecord(c call, r dlq.Record) error {
	for _, line := range [][2]string{
		{"letter", r.ID},
		{"key", r.Key},
		{"state", r.State},
		{"class", strings.TrimSpace(r.Class + " " + r.SQLState)},
		{"failed", r.FailedAt.Format("2006-01-02 15:04:05 MST")},
		{"why", r.Error},
		{"mend", r.Mend},
		{"version", versions(r)},
		{"missing", r.Missing},
	} {
		if line[1] != "" {
			fmt.Fprintf(c.stdout, "%-8s  %s\n", line[0], oneLine(line[1]))
		}
	}
	for _, h := range r.Headers {
		fmt.Fprintf(c.stdout, "header    %s: %s\n", oneLine(h.Name), oneLine(h.Value))
	}
	if r.Missing != "" {
		return nil
	}
	return c.printf("value     %s\n", valueOf(r))
}

func versions(r dlq.Record) string {
	switch {
	case r.Seq == 0:
		return ""
	case r.CacheSeq == 0:
		return fmt.Sprintf("seq %d", r.Seq)
	}
	return fmt.Sprintf("seq %d, the cache holds %d", r.Seq, r.CacheSeq)
}

// valueOf returns the record's value for people.
func valueOf(r dlq.Record) string {
	if r.Value == nil && r.Key == "" && r.Class == string(stream.ClassTooLarge) {
		return "none: no record of the batch was read"
	}
	if r.Value == nil {
		return "none: it is a tombstone"
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, r.Value, "          ", "  "); err != nil {
		return string(r.Value)
	}
	if r.Cut {
		fmt.Fprintf(&pretty, "\n          … (cut: it had %d bytes)", r.Size)
	}
	return pretty.String()
}
