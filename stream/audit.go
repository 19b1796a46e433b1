package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Rule is one of the rules that topics are held to.
type Rule string

// The rules.
const (
	RuleLeaders     Rule = "leaders"      // each partition has a leader
	RuleCompaction  Rule = "compaction"   // cleanup.policy is compact and nothing else
	RuleTombstones  Rule = "tombstones"   // delete.retention.ms is 30 days or more
	RulePartitions  Rule = "partitions"   // as many as Config.Partitions; 0 there: any number
	RuleDeadLetters Rule = "dead-letters" // cleanup.policy is delete, and a record at the topic's limit fits with its headers
)

// Breach is a topic that breaks a rule.
type Breach struct {
	Topic   string // the entity's, also where its dead letters break the rule
	Rule    Rule
	Setting string // of the topic, or of its dead letters; "" for RuleLeaders and RulePartitions
	Is      string // its value, the number of partitions, or what is wrong with a leader
	Want    string // the value or number that keeps the rule; "" for RuleLeaders
}

// Audit is how the topics of entities keep the rules.
type Audit struct {
	Topics     []string // all that there should be, those of dead letters last
	Missing    []string // of these, those that do not exist
	Unreadable []string // of these, those whose settings this user may not read: no rule about settings is judged
	Breaches   []Breach
}

// Audit looks at the topics of entities and at their dead letters. It changes
// nothing. Errors are the broker's and may pass.
func (t *Topics) Audit(ctx context.Context, entities []string) (Audit, error) {
	var names, dead []string
	for _, e := range entities {
		names = append(names, t.cfg.Topic(e))
		dead = append(dead, t.cfg.DeadLetterTopic(e))
	}
	a := Audit{Topics: slices.Concat(names, dead)}
	details, err := t.adm.ListTopics(ctx, a.Topics...)
	if err != nil {
		return a, fmt.Errorf("list topics: %w", err)
	}
	var have []string
	for _, name := range a.Topics {
		if d, listed := details[name]; !listed || errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			a.Missing = append(a.Missing, name)
		} else {
			have = append(have, name)
		}
	}
	if len(have) == 0 {
		return a, nil
	}
	settings, err := t.settings(ctx, have)
	if err != nil {
		return a, err
	}
	for _, name := range have {
		if settings[name].defaults {
			a.Unreadable = append(a.Unreadable, name)
		}
		if wrong := leaderless(details[name]); wrong != "" {
			a.Breaches = append(a.Breaches, Breach{Topic: name, Rule: RuleLeaders, Is: wrong})
		}
	}
	for _, name := range names {
		a.Breaches = append(a.Breaches, t.pairBreaches(details[name], settings)...)
	}
	return a, nil
}

// pairBreaches are the rules that a topic and its dead letters break, as far as they
// exist.
func (t *Topics) pairBreaches(d kadm.TopicDetail, settings map[string]topicSettings) []Breach {
	own, exists := settings[d.Topic]
	if !exists {
		return nil
	}
	found := t.breaches(d, own)
	if dead, exists := settings[deadLetterName(d.Topic)]; exists && !own.defaults {
		found = append(found, deadLetterBreaches(d.Topic, dead, own.maxMessage)...)
	}
	return found
}

// leaderless says what is wrong with a topic's leaders; "" if nothing is.
func leaderless(d kadm.TopicDetail) string {
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

// breaches are the rules that an entity's topic breaks. A topic of another
// cleanup.policy loses rows by age, one that forgets tombstones early can resurrect
// rows for a late reader, and a topic keeps its number of partitions.
func (t *Topics) breaches(d kadm.TopicDetail, s topicSettings) (found []Breach) {
	if !s.defaults && s.cleanup != "compact" {
		found = append(found, Breach{Topic: d.Topic, Rule: RuleCompaction, Setting: configCleanup, Is: s.cleanup, Want: "compact"})
	}
	if !s.defaults && strings.Contains(s.cleanup, "compact") && s.tombstones < retentionMillis {
		found = append(found, Breach{
			Topic: d.Topic, Rule: RuleTombstones, Setting: configTombstones,
			Is: strconv.FormatInt(s.tombstones, 10), Want: strconv.FormatInt(retentionMillis, 10),
		})
	}
	if n := len(d.Partitions); t.cfg.Partitions != 0 && n != int(t.cfg.Partitions) {
		found = append(found, Breach{Topic: d.Topic, Rule: RulePartitions, Is: strconv.Itoa(n), Want: strconv.Itoa(int(t.cfg.Partitions))})
	}
	return found
}

// deadLetterBreaches are the rules that the dead letters of a topic break, whose
// message limit is limit: of a compacted topic only the last dead letter of a key
// stays, and large dead letters are cut where they do not fit.
func deadLetterBreaches(topic string, s topicSettings, limit int) (found []Breach) {
	if s.defaults {
		return nil
	}
	if s.cleanup != "delete" {
		found = append(found, Breach{Topic: topic, Rule: RuleDeadLetters, Setting: configCleanup, Is: s.cleanup, Want: "delete"})
	}
	if want := deadLetterLimit(limit); s.maxMessage < want {
		found = append(found, Breach{
			Topic: topic, Rule: RuleDeadLetters, Setting: configMaxMessage, Is: strconv.Itoa(s.maxMessage), Want: strconv.Itoa(want),
		})
	}
	return found
}

// String says it in words, without the topic: "has cleanup.policy=delete".
func (b Breach) String() string {
	switch b.Rule {
	case RuleLeaders:
		return b.Is
	case RulePartitions:
		return "has " + b.Is + ", KAFKA_PARTITIONS is " + b.Want
	case RuleTombstones:
		ms, _ := strconv.ParseInt(b.Is, 10, 64)
		return fmt.Sprintf("keeps tombstones for %s", topicSettings{tombstones: ms}.keeps())
	case RuleDeadLetters:
		return "has dead letters with " + b.Setting + "=" + b.Is
	}
	return "has " + b.Setting + "=" + b.Is
}

// warn logs what breaches mean for those who read the topic.
func (t *Topics) warn(found []Breach) {
	for _, b := range found {
		switch {
		case b.Rule == RuleCompaction:
			t.log.Warn("topic is not only compacted: rows can vanish from it by age", "topic", b.Topic, "cleanup_policy", b.Is, "want", b.Want)
		case b.Rule == RuleTombstones:
			t.log.Warn("topic forgets deletes early: a reader away for longer keeps deleted rows",
				"topic", b.Topic, "delete_retention_ms", b.Is, "want", b.Want)
		case b.Rule == RulePartitions:
			t.log.Warn("topic has another number of partitions than is set: it keeps its own", "topic", b.Topic, "partitions", b.Is, "set", b.Want)
		case b.Setting == configCleanup:
			t.log.Warn("dead-letter topic is compacted: of several dead letters of a key only the last stays",
				"topic", deadLetterName(b.Topic), "cleanup_policy", b.Is, "want", b.Want)
		default:
			t.log.Warn("dead-letter topic has a low message limit: large dead letters will be cut",
				"topic", deadLetterName(b.Topic), "max_message_bytes", b.Is, "want", b.Want)
		}
	}
}
