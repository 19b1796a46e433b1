package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"odastream/oda"
	"odastream/stream"
)

const (
	// remembered is how long the contract wants a topic to keep tombstones.
	remembered = 30 * 24 * time.Hour
	// deadRoom is what a dead-letter topic's message limit must be above its
	// topic's by: the headers.
	deadRoom = 64 << 10
	// mostNames is how many topics a line names of those that are missing.
	mostNames = 5
)

// kafkaFindings looks at the brokers and at each entity's two topics.
func (e *examination) kafkaFindings(ctx context.Context, log *slog.Logger) []oda.Finding {
	cl, err := stream.NewClient(e.set.Kafka, log)
	if err != nil {
		return []oda.Finding{unreached("settings", err, "Kafka cannot be reached", "correct the KAFKA_ variables")}
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	if err := stream.Ping(ctx, cl, e.set.Kafka); err != nil {
		return []oda.Finding{unreached("reachable", err, "poller and sink wait for it, and lose nothing by it", "start Kafka, or correct KAFKA_BROKERS")}
	}
	found := []oda.Finding{{Name: "reachable", Verdict: oda.VerdictOK, Seen: "it answers", Means: "KAFKA_BROKERS is right"}}
	t, err := readTopics(ctx, kadm.NewClient(cl), e.set)
	if err != nil {
		return append(found, unreached("topics", err, "they could not be looked at", "give the Kafka user the right to describe topics"))
	}
	return append(found, t.findings()...)
}

// topics are the topics of the followed entities as the brokers have them.
type topics struct {
	cfg     stream.Config
	names   []string                     // of the entities, without their dead letters
	dead    map[string]string            // dead-letter topic, by its topic
	details kadm.TopicDetails            // by topic
	configs map[string]map[string]string // by topic, then by setting; none: not to be read
}

// readTopics asks for topics and settings. Settings that may not be read are
// left out; the rest is looked at all the same.
func readTopics(ctx context.Context, adm *kadm.Client, set doctorSettings) (topics, error) {
	t := topics{cfg: set.Kafka, dead: map[string]string{}, configs: map[string]map[string]string{}}
	for _, entity := range set.names() {
		name := set.Kafka.Topic(entity)
		t.names = append(t.names, name)
		t.dead[name] = set.Kafka.DeadLetterTopic(entity)
	}
	var err error
	if t.details, err = adm.ListTopics(ctx, t.all()...); err != nil {
		return t, fmt.Errorf("list topics: %w", err)
	}
	have := slices.DeleteFunc(t.all(), func(name string) bool { return !t.has(name) })
	if len(have) == 0 {
		return t, nil
	}
	found, err := adm.DescribeTopicConfigs(ctx, have...)
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("read settings of topics: %w", err)
	}
	for _, r := range found {
		if r.Err != nil {
			continue
		}
		t.configs[r.Name] = map[string]string{}
		for _, c := range r.Configs {
			t.configs[r.Name][c.Key] = c.MaybeValue()
		}
	}
	return t, nil
}

// all gives the names of topics and of their dead letters.
func (t topics) all() []string {
	all := slices.Clone(t.names)
	for _, name := range t.names {
		all = append(all, t.dead[name])
	}
	return all
}

func (t topics) has(name string) bool {
	d, listed := t.details[name]
	return listed && !errors.Is(d.Err, kerr.UnknownTopicOrPartition)
}

// number is a setting that is one; false where it is not known.
func (t topics) number(topic, setting string) (int64, bool) {
	n, err := strconv.ParseInt(t.configs[topic][setting], 10, 64)
	return n, err == nil
}

// findings judges the topics, a line for each rule.
func (t topics) findings() []oda.Finding {
	out := []oda.Finding{t.present()}
	hidden := slices.DeleteFunc(t.all(), func(name string) bool { return !t.has(name) || t.configs[name] != nil })
	if len(hidden) > 0 {
		out = append(out, oda.Finding{
			Name: "settings", Verdict: oda.VerdictNote, Seen: fmt.Sprintf("those of %d topics cannot be read", len(hidden)),
			Means: "compaction, tombstones and dead letters of these topics are not judged; the Kafka user lacks the right DescribeConfigs",
		})
	}
	for _, r := range []struct {
		finding oda.Finding // if any topic breaks the rule
		topics  []string
		broken  func(topic string) string // how; "" if it does not
	}{
		{oda.Finding{
			Name: "leaders", Verdict: oda.VerdictTrouble, Means: "nothing can be published to or read from them",
			Remedy: "see why these brokers are down",
		}, t.all(), t.leaderless},
		{oda.Finding{
			Name: "compaction", Verdict: oda.VerdictTrouble, Means: "rows can vanish from a topic by age, and then from a cache that is made from it",
			Remedy: "kafka-configs.sh --alter --entity-type topics --entity-name TOPIC --add-config cleanup.policy=compact",
		}, t.names, t.uncompacted},
		{oda.Finding{
			Name: "tombstones", Verdict: oda.VerdictNote, Means: "a reader that is away for longer keeps deleted rows; 30 days are the contract (delete.retention.ms)",
		}, t.names, t.forgetful},
		{oda.Finding{
			Name: "partitions", Verdict: oda.VerdictNote, Means: "a topic keeps its own number, whatever KAFKA_PARTITIONS says",
		}, t.names, t.otherPartitions},
		{oda.Finding{
			Name: "dead-letters", Verdict: oda.VerdictNote, Means: "dead letters are cut, or of several of one key only the last stays; cleanup.policy=delete and a max.message.bytes 64 KiB above the topic's are the contract",
		}, t.names, t.narrowDead},
	} {
		out = append(out, t.judge(r.finding, r.topics, r.broken))
	}
	return out
}

// judge gives the finding f with the topics that break its rule, or that none does.
func (t topics) judge(f oda.Finding, names []string, broken func(string) string) oda.Finding {
	var seen []string
	looked := 0
	for _, name := range names {
		if !t.has(name) {
			continue
		}
		looked++
		if how := broken(name); how != "" {
			seen = append(seen, name+" "+how)
		}
	}
	if len(seen) == 0 {
		return oda.Finding{Name: f.Name, Verdict: oda.VerdictOK, Seen: fmt.Sprintf("%d topics looked at", looked), Means: "as the contract has it"}
	}
	f.Seen = strings.Join(seen, "; ")
	return f
}

// present says which topics are still to be made.
func (t topics) present() oda.Finding {
	all := t.all()
	missing := slices.DeleteFunc(slices.Clone(all), t.has)
	f := oda.Finding{Name: "topics", Verdict: oda.VerdictOK, Seen: fmt.Sprintf("all %d are there", len(all)), Means: "two for each entity set"}
	if len(missing) == 0 {
		return f
	}
	f.Verdict, f.Means = oda.VerdictNote, "the poller makes them at its start"
	f.Seen = fmt.Sprintf("%d of %d are missing: %s", len(missing), len(all), strings.Join(missing[:min(len(missing), mostNames)], ", "))
	if more := len(missing) - mostNames; more > 0 {
		f.Seen += fmt.Sprintf(" and %d more", more)
	}
	return f
}

func (t topics) leaderless(topic string) string {
	d := t.details[topic]
	if d.Err != nil {
		return d.Err.Error()
	}
	for _, p := range d.Partitions.Sorted() {
		if p.Err != nil || p.Leader < 0 {
			return fmt.Sprintf("partition %d has no leader", p.Partition)
		}
	}
	return ""
}

func (t topics) uncompacted(topic string) string {
	if policy, known := t.configs[topic]["cleanup.policy"]; known && policy != "compact" {
		return "has cleanup.policy=" + policy
	}
	return ""
}

func (t topics) forgetful(topic string) string {
	if ms, known := t.number(topic, "delete.retention.ms"); known && ms < remembered.Milliseconds() {
		return fmt.Sprintf("keeps tombstones for %s", time.Duration(ms)*time.Millisecond)
	}
	return ""
}

func (t topics) otherPartitions(topic string) string {
	if n := len(t.details[topic].Partitions); t.cfg.Partitions != 0 && n != int(t.cfg.Partitions) {
		return fmt.Sprintf("has %d, KAFKA_PARTITIONS is %d", n, t.cfg.Partitions)
	}
	return ""
}

// narrowDead looks at a topic's dead letters, whose limit follows from its own.
func (t topics) narrowDead(topic string) string {
	dead := t.dead[topic]
	if policy, known := t.configs[dead]["cleanup.policy"]; known && policy != "delete" {
		return "has dead letters with cleanup.policy=" + policy
	}
	limit, known := t.number(topic, "max.message.bytes")
	own, alsoKnown := t.number(dead, "max.message.bytes")
	if known && alsoKnown && own < limit+deadRoom {
		return fmt.Sprintf("has dead letters with max.message.bytes=%d", own)
	}
	return ""
}
