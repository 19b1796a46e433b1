package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

// Group is a consumer group whose offsets in Kafka are set. The zero value cannot be
// used.
type Group struct {
	Name  string
	Admin *kadm.Client
	Kafka stream.Config
	// Sink is the sink's group according to the settings. Reader reads the groups of
	// all sinks from the database; nil: there is no database.
	Sink   string
	Reader *cache.Reader
}

// GroupOffset is one partition of a group.
type GroupOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Was       int64  `json:"was"` // -1: the group had committed none
	To        int64  `json:"to"`
	Start     int64  `json:"start"` // the topic holds start ≤ offset < end
	End       int64  `json:"end"`
	Note      string `json:"note,omitempty"`
}

// GroupReport says where a group is and where it will continue.
type GroupReport struct {
	Group   string        `json:"group"`
	DryRun  bool          `json:"dryRun"`
	Offsets []GroupOffset `json:"offsets"`
	Others  []string      `json:"otherTopics,omitempty"` // the group's other topics, left as they are
}

// refuseSink refuses the group of a sink. Its offsets in Kafka only follow those in
// Postgres (Invariant 2), so setting them would have no effect and would mislead.
func (g *Group) refuseSink(ctx context.Context) error {
	is := g.Name == g.Sink
	if !is && g.Reader != nil {
		applied, err := g.Reader.Applied(ctx)
		if err != nil {
			return fmt.Errorf("see whether %s is a sink's group: %w", g.Name, err)
		}
		_, is = applied[g.Name]
	}
	if !is {
		return nil
	}
	return fmt.Errorf("%s is the sink's group: where it is stands in Postgres (sink_offsets), and Kafka's offsets only follow. "+
		"To have its records applied again: odastream replay ENTITY --from start; to compare the cache with a topic and mend it: odastream rebuild ENTITY", g.Name)
}

// Plan finds where the group is and where it will continue, in the topic of entity, or
// ("") in all entities' topics that it has read. If partition is not AllPartitions, it
// plans only that partition. It changes nothing. It refuses a sink's group, a group
// with members (they would continue from their own offsets, and commit these over the
// new ones), and a group that has committed nothing.
func (g *Group) Plan(ctx context.Context, entity string, to Place, partition int) (GroupReport, error) {
	report := GroupReport{Group: g.Name}
	if err := g.refuseSink(ctx); err != nil {
		return report, err
	}
	if err := g.inactive(ctx); err != nil {
		return report, err
	}
	committed, err := g.Admin.FetchOffsets(ctx, g.Name)
	if err == nil {
		err = committed.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return report, fmt.Errorf("read offsets of group %s: %w", g.Name, err)
	}
	topics, others := g.topics(committed, entity)
	switch {
	case len(committed) == 0:
		return report, fmt.Errorf("group %s has committed no offsets: is it spelled as its program has it? "+
			"One that was never started begins where its program says (auto.offset.reset=earliest: at the start)", g.Name)
	case len(topics) == 0:
		return report, fmt.Errorf("group %s has read no entity's topic %s*, only %s", g.Name, g.Kafka.TopicPrefix, strings.Join(others, ", "))
	}
	report.Others = others
	found, err := to.find(ctx, g.Admin, topics, partition)
	if err != nil {
		return report, err
	}
	for _, s := range found {
		offset := GroupOffset{Topic: s.Topic, Partition: s.Partition, Was: schema.NoOffset, To: s.At, Start: s.Start, End: s.End, Note: s.Note}
		if at, ok := committed.Lookup(s.Topic, s.Partition); ok {
			offset.Was = at.At
		}
		report.Offsets = append(report.Offsets, offset)
	}
	return report, nil
}

// inactive refuses a group that has members.
func (g *Group) inactive(ctx context.Context) error {
	members, state, err := g.members(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look up group %s: %w", g.Name, err)
	case len(members) > 0:
		return fmt.Errorf("group %s is active, with %d members: %s. Stop them all, wait until the group is empty (its session timeout), and try again",
			g.Name, len(members), strings.Join(members, ", "))
	case state != "Empty" && state != "":
		return fmt.Errorf("group %s is %s, not empty: wait until its members are gone, and try again", g.Name, state)
	}
	return nil
}

// members returns the members of a group of either protocol. A missing group has no
// members and no state; Plan finds out whether it has offsets.
func (g *Group) members(ctx context.Context) (names []string, state string, err error) {
	classic, err := g.Admin.DescribeGroups(ctx, g.Name)
	if err != nil {
		return nil, "", err
	}
	described := classic[g.Name]
	if described.Err != nil && !errors.Is(described.Err, kerr.GroupIDNotFound) {
		return nil, "", described.Err
	}
	for _, m := range described.Members {
		names = append(names, m.ClientID+"@"+strings.TrimPrefix(m.ClientHost, "/"))
	}
	if described.Err == nil && described.State != "Dead" {
		return names, described.State, nil
	}
	modern, err := g.Admin.DescribeConsumerGroups(ctx, g.Name)
	if err != nil {
		return nil, "", nil //nolint:nilerr // a broker that does not know the newer protocol has no group of it
	}
	for _, m := range modern[g.Name].Members {
		names = append(names, m.ClientID+"@"+strings.TrimPrefix(m.ClientHost, "/"))
	}
	if state = modern[g.Name].State; state == "Dead" {
		state = ""
	}
	return names, state, nil
}

// topics returns the entities' topics that the group has read, or the one that was
// asked for; others are the other topics that it has read.
func (g *Group) topics(committed kadm.OffsetResponses, entity string) (topics, others []string) {
	if entity != "" {
		return []string{g.Kafka.Topic(entity)}, nil
	}
	known := map[string]bool{}
	for _, e := range schema.Entities() {
		known[g.Kafka.Topic(e.Name)] = true
	}
	for topic := range committed {
		if known[topic] {
			topics = append(topics, topic)
		} else {
			others = append(others, topic)
		}
	}
	slices.Sort(topics)
	slices.Sort(others)
	return topics, others
}

// Set commits the offsets of a report from Plan. The broker refuses them if a member
// has joined meanwhile.
func (g *Group) Set(ctx context.Context, report GroupReport) error {
	offsets := kadm.Offsets{}
	for _, m := range report.Offsets {
		offsets.Add(kadm.Offset{Topic: m.Topic, Partition: m.Partition, At: m.To, LeaderEpoch: -1, Metadata: "odastream replay"})
	}
	if err := g.Admin.CommitAllOffsets(ctx, g.Name, offsets); err != nil {
		return fmt.Errorf("set offsets of group %s: %w (has one of its programs been started meanwhile?)", g.Name, err)
	}
	return nil
}
