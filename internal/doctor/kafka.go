package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"odastream/oda"
	"odastream/stream"
)

// kafka checks the brokers and each entity's two topics.
func (cfg Config) kafka(ctx context.Context, log *slog.Logger) []oda.Finding {
	cl, err := stream.NewClient(cfg.Kafka, log)
	if err != nil {
		return []oda.Finding{unreached("settings", err, "Kafka cannot be reached", "correct the KAFKA_ variables")}
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if err := stream.Ping(ctx, cl, cfg.Kafka); err != nil {
		return []oda.Finding{unreached("reachable", err, "poller and sink wait for it, and lose nothing by it", "start Kafka, or correct KAFKA_BROKERS")}
	}
	found := []oda.Finding{ok("reachable", "it answers", "KAFKA_BROKERS is right")}
	dialled, reached := brokers(ctx, cl)
	found = append(found, dialled)
	if !reached {
		return found // topics are read from the brokers
	}
	audit, err := stream.NewTopics(cl, cfg.Kafka, log).Audit(ctx, cfg.Entities)
	if err != nil {
		return append(found, unreached("topics", err, "they could not be looked at", "give the Kafka user the right to describe topics"))
	}
	return append(found, topicFindings(audit)...)
}

// brokenRules returns the findings about topics that break a rule.
var brokenRules = []struct {
	rule    stream.Rule
	verdict oda.Verdict
	means   string
	remedy  string
}{
	{
		stream.RuleLeaders, oda.VerdictTrouble, "nothing can be published to or read from them",
		"see why these brokers are down",
	},
	{
		stream.RuleCompaction, oda.VerdictTrouble, "rows can vanish from a topic by age, and then from a cache that is made from it",
		"kafka-configs.sh --alter --entity-type topics --entity-name TOPIC --add-config cleanup.policy=compact",
	},
	{stream.RuleTombstones, oda.VerdictNote, "a reader that is away for longer keeps deleted rows; 30 days are the contract (delete.retention.ms)", ""},
	{stream.RulePartitions, oda.VerdictNote, "a topic keeps its own number, whatever KAFKA_PARTITIONS says", ""},
	{
		stream.RuleDeadLetters, oda.VerdictNote,
		"dead letters are cut, or of several of one key only the last stays; cleanup.policy=delete and a max.message.bytes 64 KiB above the topic's are the contract", "",
	},
}

// topicFindings returns a finding for each rule.
func topicFindings(a stream.Audit) []oda.Finding {
	found := []oda.Finding{present(a)}
	if n := len(a.Unreadable); n > 0 {
		found = append(found, oda.Finding{
			Name: "settings", Verdict: oda.VerdictNote, Seen: fmt.Sprintf("those of %d topics cannot be read", n),
			Means: "compaction, tombstones and dead letters of these topics are not judged; the Kafka user lacks the right DescribeConfigs",
		})
	}
	for _, r := range brokenRules {
		var seen []string
		for _, b := range a.Breaches {
			if b.Rule == r.rule {
				seen = append(seen, b.Topic+" "+b.String())
			}
		}
		f := ok(string(r.rule), fmt.Sprintf("%d topics looked at", len(a.Topics)-len(a.Missing)), "as the contract has it")
		if len(seen) > 0 {
			f = oda.Finding{Name: string(r.rule), Verdict: r.verdict, Seen: strings.Join(seen, "; "), Means: r.means, Remedy: r.remedy}
		}
		found = append(found, f)
	}
	return found
}

// present reports which topics are still to be created.
func present(a stream.Audit) oda.Finding {
	all, missing := len(a.Topics), len(a.Missing)
	f := ok("topics", fmt.Sprintf("all %d are there", all), "two for each entity set")
	if missing == 0 {
		return f
	}
	f.Verdict, f.Means = oda.VerdictNote, "the poller makes them at its start"
	f.Seen = fmt.Sprintf("%d of %d are missing: %s", missing, all, some(a.Missing))
	return f
}
