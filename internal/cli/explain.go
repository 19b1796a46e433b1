package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"odastream/stream"
	"odastream/verify"
)

const explainMore = `
A row is named as Sag/98765 or by its key, Sag:98765. The command reads it from the source, the database and the entity's
topic. The variables of poller and sink name them; those that are not set are taken from the running "odastream up". If one
of them does not answer, the command says so and shows the rest.`

// explainFlags are the command line of explain.
type explainFlags struct {
	targetFlags
	json bool
}

func explainCommand() command {
	return command{
		name: "explain", args: "ENTITY/ID", about: "Show one row at the source, in the ledger, on the topic and in the cache.", more: explainMore,
		flags: func(set *flag.FlagSet) action {
			f := &explainFlags{}
			f.declare(set)
			set.BoolVar(&f.json, "json", false, "print it as one JSON object")
			return f.run
		},
	}
}

func (f *explainFlags) run(ctx context.Context, c call) error {
	name, text, ok := splitRow(c.args[0])
	id, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("%w: %q is no row, want one like Sag/98765", errUsage, c.args[0])
	}
	entity, err := entityOf(name)
	if err != nil {
		return err
	}
	var s struct {
		sourceSettings
		Kafka stream.Config `envPrefix:"KAFKA_"`
	}
	to, err := f.read(c.environ, &s)
	if err != nil {
		return err
	}
	log := c.log(slog.LevelError)
	return c.untilStopped(ctx, log, func(ctx context.Context) error {
		v, closeAll, err := openVerifier(ctx, to, s.Source, log)
		if err != nil {
			return err
		}
		defer closeAll()
		x, err := v.Explain(ctx, entity.Name, id)
		if err != nil {
			return err
		}
		return f.print(c, x, recordsInTopic(ctx, s.Kafka, entity.Name, id, newestSeq(x), log))
	})
}

func (f *explainFlags) print(c call, x verify.Explanation, seen topicView) error {
	if f.json {
		return c.printObject(struct {
			verify.Explanation
			Topic topicView `json:"topic"`
		}{x, seen})
	}
	if err := x.WriteText(c.stdout); err != nil {
		return printErr(0, err)
	}
	return c.printf("%s\n", strings.Join(seen.lines(), "\n"))
}

// splitRow splits ENTITY/ID, or ENTITY:ID as in keys.
func splitRow(text string) (entity, id string, ok bool) {
	at := strings.LastIndexAny(text, "/:")
	if at < 1 {
		return "", "", false
	}
	return text[:at], text[at+1:], true
}

// newestSeq returns the highest seq of the row in the tables, 0 if none.
func newestSeq(x verify.Explanation) int64 {
	var seq int64
	if x.Ledger != nil {
		seq = x.Ledger.Seq
	}
	if x.Cache != nil {
		seq = max(seq, x.Cache.Seq)
	}
	if x.Deleted != nil {
		seq = max(seq, x.Deleted.Seq)
	}
	return seq
}

// lines returns the topic's part of the output for people.
func (v topicView) lines() []string {
	at := v.Topic + " partition " + strconv.Itoa(int(v.Partition))
	if v.Error != "" {
		return []string{"", "topic " + v.Topic + ": " + v.Error}
	}
	if len(v.Records) == 0 {
		return []string{"", "topic " + at + ": no record of the row"}
	}
	lines := []string{"", "topic " + at + ":"}
	for _, r := range v.Records {
		line := fmt.Sprintf("  offset %d, %s, %s, seq %d", r.Offset, r.WrittenAt.Format(time.RFC3339), r.Action, r.Seq)
		if len(r.Changed) > 0 {
			line += ", changed " + strings.Join(r.Changed, ", ")
		}
		lines = append(lines, line)
	}
	return lines
}
