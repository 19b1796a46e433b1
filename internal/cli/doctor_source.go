package cli

import (
	"context"
	"log/slog"

	"odastream/oda"
)

// source probes the source.
func (e *examination) source(ctx context.Context, log *slog.Logger) []oda.Finding {
	client, err := oda.New(e.set.Source, log, nil)
	if err != nil {
		return []oda.Finding{unreached("settings", err, "the source cannot be asked", "correct the variable that is named, with ODA_ before it")}
	}
	defer client.Close()
	probe := client.Probe
	if e.full {
		probe = client.ProbeFull
	}
	report, err := probe(ctx, e.set.names())
	if err != nil {
		return append(report.Findings, unreached("reachable", err, "nothing new is seen until it answers; nothing is lost by it",
			"see whether ODA_URL is right and whether this machine may reach it (proxy, firewall); if so, wait"))
	}
	return report.Findings
}

// unreached is the finding that something could not be looked at at all.
func unreached(name string, err error, means, remedy string) oda.Finding {
	return oda.Finding{Name: name, Verdict: oda.VerdictTrouble, Seen: err.Error(), Means: means, Remedy: remedy}
}
