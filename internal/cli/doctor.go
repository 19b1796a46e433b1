package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"odastream/internal/console"
	"odastream/internal/daemon"
	"odastream/internal/settings"
	"odastream/internal/trial"
	"odastream/internal/wiring"
	"odastream/oda"
	"odastream/stream"
)

const doctorMore = `
It looks at the database, at Kafka and at the source, as the variables of poller and sink say, or where those are silent
at the running "odastream up". It changes nothing and asks the source about ten small questions; with --full three more
for each entity set, half a minute at the usual rate.

Each line is ok, note (nobody has to act) or trouble (what to do follows). Exit status 1 with any trouble.`

// examination is the command line and the settings of doctor.
type examination struct {
	target
	full, json bool
	set        doctorSettings
}

// doctorSettings are those of poller and sink that say where everything is.
type doctorSettings struct {
	DatabaseURL string          `env:"DATABASE_URL" secret:"true"`
	Migrate     string          `env:"MIGRATE" envDefault:"on" oneof:"on,off"`
	Kafka       stream.Config   `envPrefix:"KAFKA_"`
	Source      oda.Config      `envPrefix:"ODA_"`
	Entities    wiring.Entities `env:"ODA_ENTITIES"`
}

func doctorCommand() command {
	return command{
		name: "doctor", about: "Look for trouble at the source, in the database and in Kafka.", more: doctorMore,
		flags: func(set *flag.FlagSet) action {
			e := &examination{}
			e.declare(set)
			set.BoolVar(&e.full, "full", false, "ask every entity set")
			set.BoolVar(&e.json, "json", false, "print each finding as one line of JSON")
			return e.run
		},
	}
}

// names are the entity sets that are copied.
func (s doctorSettings) names() []string {
	var names []string
	for _, e := range s.Entities.OrDefault() {
		names = append(names, e.Name)
	}
	return names
}

func (e *examination) run(ctx context.Context, c call) error {
	if err := settings.Parse(c.environ, &e.set); err != nil {
		return err
	}
	if place, ok := e.running(c.environ); ok {
		e.set.DatabaseURL, e.set.Source.URL = place.DatabaseURL, place.Source
		e.set.Kafka = stream.Config{Brokers: []string{place.Brokers}, TopicPrefix: trial.TopicPrefix}
	}
	log := slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, slog.LevelError))
	return untilStopped(ctx, log, func(ctx context.Context) error { return e.examine(ctx, c.stdout, log) })
}

// examine looks at each part and prints what it finds, part by part: the source
// comes last, since it takes longest.
func (e *examination) examine(ctx context.Context, out io.Writer, log *slog.Logger) error {
	parts := []struct {
		name, where string
		look        func(context.Context, *slog.Logger) []oda.Finding
	}{
		{"postgres", daemon.Redact(e.set.DatabaseURL), e.postgres},
		{"kafka", strings.Join(e.set.Kafka.Brokers, ","), e.kafkaFindings},
		{"source", e.set.Source.URL, e.source},
	}
	count := map[oda.Verdict]int{}
	for _, p := range parts {
		found := p.look(ctx, log)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, f := range found {
			count[f.Verdict]++
		}
		if err := e.print(out, p.name, p.where, found); err != nil {
			return fmt.Errorf("print findings: %w", err)
		}
	}
	if !e.json {
		fmt.Fprintf(out, "%d ok, %d note, %d trouble\n", count[oda.VerdictOK], count[oda.VerdictNote], count[oda.VerdictTrouble])
	}
	if count[oda.VerdictTrouble] > 0 {
		return statusError(daemon.ExitFault)
	}
	return nil
}

// print writes the findings of a part: a table, or a line of JSON each.
func (e *examination) print(out io.Writer, part, where string, found []oda.Finding) error {
	if e.json {
		return printJSON(out, part, found)
	}
	fmt.Fprintf(out, "%s %s\n", part, where)
	table := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	for _, f := range found {
		fmt.Fprintf(table, "  %s\t%s\t%s: %s\n", f.Verdict, f.Name, oneLine(f.Seen), f.Means)
		if f.Remedy != "" {
			fmt.Fprintf(table, "  \t\tto do: %s\n", f.Remedy)
		}
	}
	fmt.Fprintln(table)
	return table.Flush()
}

// printJSON writes a line for each finding, with the part that it is of.
func printJSON(out io.Writer, part string, found []oda.Finding) error {
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, f := range found {
		line := struct {
			Part string `json:"part"`
			oda.Finding
		}{part, f}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// oneLine keeps an error of several lines from breaking the table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
