package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// topicSettings are the settings of a topic that the project depends on.
type topicSettings struct {
	defaults   bool // they cannot be read, and are taken to be Kafka's defaults
	cleanup    string
	tombstones int64 // delete.retention.ms
	maxMessage int   // bytes
}

// keeps is for how long a reader may be away without missing a delete.
func (s topicSettings) keeps() time.Duration {
	return time.Duration(min(s.tombstones, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// settings reads the settings of each topic. If reading them is not allowed, it
// returns Kafka's defaults and logs a warning.
func (t *Topics) settings(ctx context.Context, names []string) (map[string]topicSettings, error) {
	found, err := t.adm.DescribeTopicConfigs(ctx, names...)
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		found, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings of topics: %w", err)
	}
	out := make(map[string]topicSettings, len(names))
	for _, name := range names {
		r, err := found.On(name, nil)
		if err == nil {
			err = r.Err
		}
		if err != nil {
			t.log.Warn("settings of a topic cannot be read: taking Kafka's defaults", "topic", name, "err", err)
			out[name] = topicSettings{defaults: true, cleanup: "compact", tombstones: retentionMillis, maxMessage: defaultMaxMessage}
			continue
		}
		out[name] = readSettings(r.Configs)
	}
	return out, nil
}

// ErrNotCompacted is returned for a topic that loses more than superseded records:
// a row of which it holds no record may well exist at the source.
var ErrNotCompacted = errors.New("topic does not keep the newest record of every key")

// CheckCompacted returns ErrNotCompacted unless the topic of an entity keeps the
// newest record of every key: its cleanup.policy is compact and nothing else. Where
// the settings cannot be read it is taken to be so. Other errors are the broker's
// and may pass.
func (t *Topics) CheckCompacted(ctx context.Context, entity string) error {
	topic := t.cfg.Topic(entity)
	settings, err := t.settings(ctx, []string{topic})
	if err == nil && settings[topic].cleanup != "compact" {
		err = fmt.Errorf("topic %s: %w", topic, ErrNotCompacted)
	}
	return err
}

func readSettings(configs []kadm.Config) topicSettings {
	s := topicSettings{maxMessage: defaultMaxMessage}
	for _, c := range configs {
		switch c.Key {
		case configCleanup:
			s.cleanup = c.MaybeValue()
		case configTombstones:
			s.tombstones, _ = strconv.ParseInt(c.MaybeValue(), 10, 64)
		case configMaxMessage:
			if n, err := strconv.Atoi(c.MaybeValue()); err == nil {
				s.maxMessage = n
			}
		}
	}
	return s
}

// warnTopics logs the rules that existing topics break.
func (t *Topics) warnTopics(have kadm.TopicDetails, settings map[string]topicSettings) {
	for _, d := range have.Sorted() {
		t.warn(t.breaches(d, settings[d.Topic]))
	}
}

// warnDeadLetters does so for the dead-letter topics of topics with one message
// limit.
func (t *Topics) warnDeadLetters(ctx context.Context, have kadm.TopicDetails, limit int) error {
	if len(have) == 0 {
		return nil
	}
	settings, err := t.settings(ctx, have.Names())
	if err != nil {
		return err
	}
	for _, name := range have.Names() {
		t.warn(deadLetterBreaches(strings.TrimSuffix(name, deadLetterSuffix), settings[name], limit))
	}
	return nil
}
