package doctor

import (
	"context"
	"log/slog"

	"odastream/oda"
)

// source probes the source.
func (cfg Config) source(ctx context.Context, log *slog.Logger) []oda.Finding {
	client, err := oda.New(cfg.Source, log, nil)
	if err != nil {
		return []oda.Finding{unreached("settings", err, "the source cannot be asked", "correct the variable that is named, with ODA_ before it")}
	}
	defer client.Close()
	probe := client.Probe
	if cfg.Full {
		probe = client.ProbeFull
	}
	report, err := probe(ctx, cfg.Entities)
	if err != nil {
		return append(report.Findings, unreached("reachable", err, "nothing new is seen until it answers; nothing is lost by it",
			"see whether ODA_URL is right and whether this machine may reach it (proxy, firewall); if so, wait"))
	}
	return report.Findings
}
