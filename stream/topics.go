package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Settings of new topics.
const (
	retentionMillis   = int64(30 * 24 * time.Hour / time.Millisecond) // of tombstones, and of dead letters
	deadLetterRoom    = 64 << 10                                      // what dead-letter headers may add to a record, in bytes
	defaultMaxMessage = 1_048_588                                     // Kafka's own message.max.bytes

	configCleanup    = "cleanup.policy"
	configTombstones = "delete.retention.ms"
	configRetention  = "retention.ms"
	configMaxMessage = "max.message.bytes"
)

// visibleWithin bounds the wait until brokers see a new topic; visibleEvery is how
// often to check.
const (
	visibleWithin = 30 * time.Second
	visibleEvery  = 50 * time.Millisecond
)

// Topics creates topics, reads them and tells their offsets. It is safe for concurrent
// use and does not own its client.
type Topics struct {
	cl  *kgo.Client
	adm *kadm.Client
	cfg Config
	log *slog.Logger
}

// NewTopics uses cl, which the caller closes.
func NewTopics(cl *kgo.Client, cfg Config, log *slog.Logger) *Topics {
	return &Topics{cl: cl, adm: kadm.NewClient(cl), cfg: cfg, log: log}
}

// Ensure creates the missing topics of entities and their dead-letter topics, and waits
// until brokers see them. It leaves an existing topic as it is, and logs a warning for
// each setting that differs from the contract in a way that matters. Its error joins
// one line for each topic that could not be created; the others were created.
func (t *Topics) Ensure(ctx context.Context, entities []string) error {
	names := make([]string, len(entities))
	for i, e := range entities {
		names[i] = t.cfg.Topic(e)
	}
	have, err := t.make(ctx, names, map[string]string{
		configCleanup: "compact", configTombstones: strconv.FormatInt(retentionMillis, 10),
	})
	if err != nil {
		return err
	}
	settings, err := t.settings(ctx, names)
	if err != nil {
		return err
	}
	t.warnTopics(have, settings)
	return t.ensureDeadLetters(ctx, names, settings)
}

// IsRefusal reports whether err is a broker's refusal that a person must mend, such as a
// missing right or a policy, and not an outage that may end by itself.
func IsRefusal(err error) bool {
	code, ok := errors.AsType[*kerr.Error](err)
	return ok && !code.Retriable
}

// ensureDeadLetters creates dead-letter topics. Their message limit is above their
// topic's: a record at the limit must fit there with its headers.
func (t *Topics) ensureDeadLetters(ctx context.Context, names []string, settings map[string]topicSettings) error {
	byLimit := map[int][]string{}
	for _, name := range names {
		limit := settings[name].maxMessage
		byLimit[limit] = append(byLimit[limit], deadLetterName(name))
	}
	var errs []error
	for limit, dead := range byLimit {
		have, err := t.make(ctx, dead, map[string]string{
			configCleanup: "delete", configRetention: strconv.FormatInt(retentionMillis, 10), configMaxMessage: strconv.Itoa(deadLetterLimit(limit)),
		})
		if err == nil {
			err = t.warnDeadLetters(ctx, have, limit)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// deadLetterLimit returns max.message.bytes of a dead-letter topic, given that of its
// topic. Kafka's setting is an int32.
func deadLetterLimit(limit int) int { return min(limit+deadLetterRoom, math.MaxInt32) }

// make creates the missing ones of names and returns those that existed.
func (t *Topics) make(ctx context.Context, names []string, config map[string]string) (have kadm.TopicDetails, err error) {
	seen, err := t.adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	have = kadm.TopicDetails{}
	var missing []string
	for _, name := range names {
		switch d := seen[name]; {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, name)
		case d.Err != nil && !kerr.IsRetriable(d.Err):
			return nil, fmt.Errorf("look up topic %s: %w", name, d.Err)
		default:
			have[name] = d
		}
	}
	if len(missing) == 0 {
		return have, nil
	}
	others, err := t.create(ctx, missing, config)
	if err != nil {
		return nil, err
	}
	seen, err = t.awaitVisible(ctx, missing)
	for _, name := range others {
		have[name] = seen[name]
	}
	return have, err
}

// create creates topics and returns those of names that exist already: another process
// was faster, or metadata was out of date.
func (t *Topics) create(ctx context.Context, names []string, config map[string]string) (others []string, err error) {
	values := make(map[string]*string, len(config))
	for k, v := range config {
		values[k] = &v
	}
	replication := t.cfg.Replication
	if replication == 0 {
		replication = -1 // the protocol's word for the broker's own default
	}
	made, err := t.adm.CreateTopics(ctx, t.cfg.Partitions, replication, values, names...)
	if err != nil {
		return nil, fmt.Errorf("create topics: %w", err)
	}
	var errs []error
	for _, r := range made.Sorted() {
		switch {
		case errors.Is(r.Err, kerr.TopicAlreadyExists):
			others = append(others, r.Topic)
		case r.Err != nil:
			errs = append(errs, fmt.Errorf("create topic %s: %w: %s", r.Topic, r.Err, r.ErrMessage))
		default:
			t.log.Info("topic created", "topic", r.Topic, "partitions", t.cfg.Partitions)
		}
	}
	return others, errors.Join(errs...)
}

// awaitVisible waits until metadata shows every name with a leader for each
// partition: a real cluster does so some time after the creation.
func (t *Topics) awaitVisible(ctx context.Context, names []string) (kadm.TopicDetails, error) {
	ctx, cancel := context.WithTimeout(ctx, visibleWithin)
	defer cancel()
	tick := time.NewTicker(visibleEvery)
	defer tick.Stop()
	for {
		seen, err := t.adm.ListTopics(ctx, names...)
		if err == nil && !slices.ContainsFunc(names, func(n string) bool { return !usable(seen[n]) }) {
			return seen, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for new topics to be seen: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func usable(d kadm.TopicDetail) bool {
	if d.Err != nil || len(d.Partitions) == 0 {
		return false
	}
	for _, p := range d.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return false
		}
	}
	return true
}
