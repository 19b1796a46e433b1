package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"odastream/cache"
	"odastream/capture"
	"odastream/internal/daemon"
	"odastream/internal/doctor"
	"odastream/oda"
)

const doctorMore = `
It checks the settings, the database, Kafka and the source that the variables of poller and sink name, and how far poller
and sink are; variables that are not set are taken from the running "odastream up". It changes nothing. It sends about ten
small requests to the source; with --full it sends three more for each entity set, which takes half a minute at the usual
rate.

Each line is ok, note (nothing needs to be done) or trouble (the line says what to do). Exit status 1 with any trouble.`

// doctorFlags are the command line of doctor.
type doctorFlags struct {
	targetFlags
	full, json bool
}

func doctorCommand() command {
	return command{
		name: "doctor", about: "Look for trouble at the source, in the database and in Kafka.", more: doctorMore,
		flags: func(set *flag.FlagSet) action {
			f := &doctorFlags{}
			f.declare(set)
			set.BoolVar(&f.full, "full", false, "ask every entity set")
			set.BoolVar(&f.json, "json", false, "print each finding as one line of JSON")
			return f.run
		},
	}
}

func (f *doctorFlags) run(ctx context.Context, c call) error {
	var s struct {
		sourceSettings
		sinkSettings
		Migrate string         `env:"MIGRATE" envDefault:"on" oneof:"on,off"`
		Capture capture.Config // POLL_ and SCAN_ by its tags
		History cache.History  `envPrefix:"HISTORY_"`
	}
	to, err := f.read(c.environ, &s)
	if err != nil {
		return err
	}
	cfg := doctor.Config{
		DatabaseURL: to.databaseURL(), Migrate: s.Migrate == "on", Kafka: s.Kafka, Source: s.Source,
		IntervalMax: s.Capture.IntervalMax, Group: s.Sink.Group, Full: f.full,
	}
	for _, e := range s.Entities.OrDefault() {
		cfg.Entities = append(cfg.Entities, e.Name)
	}
	log := c.log(slog.LevelError)
	return c.untilStopped(ctx, log, func(ctx context.Context) error { return f.examine(ctx, c, doctor.Parts(cfg), log) })
}

// examine checks each part and prints its findings, part by part.
func (f *doctorFlags) examine(ctx context.Context, c call, parts []doctor.Part, log *slog.Logger) error {
	count := map[oda.Verdict]int{}
	for _, p := range parts {
		found := p.Look(ctx, log)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, one := range found {
			count[one.Verdict]++
		}
		if err := f.print(c, p, found); err != nil {
			return err
		}
	}
	if !f.json {
		fmt.Fprintf(c.stdout, "%d ok, %d note, %d trouble\n", count[oda.VerdictOK], count[oda.VerdictNote], count[oda.VerdictTrouble])
	}
	if count[oda.VerdictTrouble] > 0 {
		return statusError(daemon.ExitFault)
	}
	return nil
}

// print prints the findings of a part: a table, or a line of JSON each.
func (f *doctorFlags) print(c call, part doctor.Part, found []oda.Finding) error {
	if f.json {
		return printFindings(c, part, found)
	}
	if len(found) == 0 {
		return nil
	}
	fmt.Fprintln(c.stdout, strings.TrimSpace(part.Name+" "+part.Where))
	table := newTable(c.stdout)
	for _, one := range found {
		fmt.Fprintf(table, "  %s\t%s\t%s: %s\n", one.Verdict, one.Name, oneLine(one.Seen), one.Means)
		if one.Remedy != "" {
			fmt.Fprintf(table, "  \t\tto do: %s\n", one.Remedy)
		}
	}
	fmt.Fprintln(table)
	return flush(table)
}

// printFindings prints a line for each finding, with its part.
func printFindings(c call, part doctor.Part, found []oda.Finding) error {
	for _, one := range found {
		line := struct {
			Part string `json:"part"`
			oda.Finding
		}{part.Name, one}
		if err := c.printLine(line); err != nil {
			return err
		}
	}
	return nil
}
