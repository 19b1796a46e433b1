package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"odastream/internal/connect"
	"odastream/internal/console"
	"odastream/schema"
	"odastream/stream"
)

// resetting sets the offsets of one consumer group.
type resetting struct {
	adm       *kadm.Client
	kafka     stream.Config
	group     string
	entity    string // "": each whose topic the group has read
	partition int    // -1: all
	dry, json bool
	out       io.Writer
}

// movedOffset is one partition of a group.
type movedOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Was       int64  `json:"was"` // -1: the group had committed none
	To        int64  `json:"to"`
	Start     int64  `json:"start"` // what the topic holds: start ≤ offset < end
	End       int64  `json:"end"`
	Note      string `json:"note,omitempty"`
}

// resetReport is what replay --group prints for programs.
type resetReport struct {
	Group   string        `json:"group"`
	DryRun  bool          `json:"dryRun"`
	Offsets []movedOffset `json:"offsets"`
	Others  []string      `json:"otherTopics,omitempty"` // topics of the group that are no entity's, left as they are
}

// reset sets the offsets of the group that f names.
func (f *replaying) reset(ctx context.Context, c call, to spot) error {
	cfg, err := f.kafka(c.environ)
	if err != nil {
		return err
	}
	log := slog.New(console.NewHandler(func(line string) { fmt.Fprintln(c.stderr, line) }, slog.LevelWarn))
	return untilStopped(ctx, log, func(ctx context.Context) error {
		if err := f.refuseSink(ctx, c.environ); err != nil {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, askKafka)
		defer cancel()
		cl, err := openKafka(asking, cfg, log)
		if err != nil {
			return err
		}
		defer cl.Close()
		r := resetting{
			adm: kadm.NewClient(cl), kafka: cfg, group: f.group, entity: f.entity, partition: f.partition,
			dry: f.dry, json: f.json, out: c.stdout,
		}
		return r.run(asking, to)
	})
}

// refuseSink refuses the group of a sink. Its offsets in Kafka only follow those in
// Postgres (Invariant 2), and setting them would do nothing but deceive.
func (f *replaying) refuseSink(ctx context.Context, environ []string) error {
	name := value(environ, "SINK_GROUP")
	if name == "" {
		name = "parliament-sink"
	}
	is := name == f.group
	if url := f.database(environ); url != "" && !is {
		pool, err := connect.Postgres(ctx, url, nil)
		if err != nil {
			return fmt.Errorf("see whether %s is a sink's group: %w", f.group, err)
		}
		defer pool.Close()
		if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM sink_offsets WHERE group_id = $1)`, f.group).Scan(&is); err != nil {
			return fmt.Errorf("see whether %s is a sink's group: %w", f.group, err)
		}
	}
	if !is {
		return nil
	}
	return fmt.Errorf("%s is the sink's group: where it is stands in Postgres (sink_offsets), and Kafka's offsets only follow. "+
		"To have its records applied again: odastream replay ENTITY --from start; to compare the cache with a topic and mend it: odastream rebuild ENTITY", f.group)
}

// database is that of the sink, "" if none is named.
func (f *replaying) database(environ []string) string {
	if place, ok := f.running(environ); ok {
		return place.DatabaseURL
	}
	return value(environ, "DATABASE_URL")
}

func (r *resetting) run(ctx context.Context, to spot) error {
	if err := r.inactive(ctx); err != nil {
		return err
	}
	report, err := r.plan(ctx, to)
	if err != nil {
		return err
	}
	if !r.json {
		if err := r.announce(report); err != nil {
			return err
		}
	}
	if !r.dry {
		if err := r.commit(ctx, report); err != nil {
			return err
		}
	}
	switch {
	case r.json:
		return printObject(r.out, report)
	case r.dry:
		fmt.Fprintln(r.out, "nothing was done (--dry-run)")
	default:
		fmt.Fprintf(r.out, "done: %s goes on from there when it is started\n", r.group)
	}
	return nil
}

// inactive refuses a group that has members: they would go on from where they are,
// and commit that over what was set.
func (r *resetting) inactive(ctx context.Context) error {
	members, state, err := r.members(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look up group %s: %w", r.group, err)
	case len(members) > 0:
		return fmt.Errorf("group %s is active, with %d members: %s. Stop them all, wait until the group is empty (its session timeout), and try again",
			r.group, len(members), strings.Join(members, ", "))
	case state != "Empty" && state != "":
		return fmt.Errorf("group %s is %s, not empty: wait until its members are gone, and try again", r.group, state)
	}
	return nil
}

// members are those of a group of either protocol. A group that is not there has
// none and no state; plan finds out whether it has offsets.
func (r *resetting) members(ctx context.Context) (names []string, state string, err error) {
	classic, err := r.adm.DescribeGroups(ctx, r.group)
	if err != nil {
		return nil, "", err
	}
	g := classic[r.group]
	if g.Err != nil && !errors.Is(g.Err, kerr.GroupIDNotFound) {
		return nil, "", g.Err
	}
	for _, m := range g.Members {
		names = append(names, m.ClientID+"@"+strings.TrimPrefix(m.ClientHost, "/"))
	}
	if g.Err == nil && g.State != "Dead" {
		return names, g.State, nil
	}
	modern, err := r.adm.DescribeConsumerGroups(ctx, r.group)
	if err != nil {
		return nil, "", nil //nolint:nilerr // a broker that does not know the newer protocol has no group of it
	}
	for _, m := range modern[r.group].Members {
		names = append(names, m.ClientID+"@"+strings.TrimPrefix(m.ClientHost, "/"))
	}
	if state = modern[r.group].State; state == "Dead" {
		state = ""
	}
	return names, state, nil
}

// plan finds where the group is and where it is to go on.
func (r *resetting) plan(ctx context.Context, to spot) (resetReport, error) {
	report := resetReport{Group: r.group, DryRun: r.dry}
	held, err := r.adm.FetchOffsets(ctx, r.group)
	if err == nil {
		err = held.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return report, fmt.Errorf("read offsets of group %s: %w", r.group, err)
	}
	topics, others := r.topics(held)
	switch {
	case len(held) == 0:
		return report, fmt.Errorf("group %s has committed no offsets: is it spelled as its program has it? "+
			"One that was never started begins where its program says (auto.offset.reset=earliest: at the start)", r.group)
	case len(topics) == 0:
		return report, fmt.Errorf("group %s has read no entity's topic %s*, only %s", r.group, r.kafka.TopicPrefix, strings.Join(others, ", "))
	}
	report.Others = others
	found, err := to.find(ctx, r.adm, topics, r.partition)
	if err != nil {
		return report, err
	}
	for _, f := range found {
		moved := movedOffset{Topic: f.topic, Partition: f.partition, Was: -1, To: f.at, Start: f.start, End: f.end, Note: f.note}
		if at, ok := held.Lookup(f.topic, f.partition); ok {
			moved.Was = at.At
		}
		report.Offsets = append(report.Offsets, moved)
	}
	return report, nil
}

// topics are the entities' topics that the group has read, or the one that was
// asked for; others are what else it has read.
func (r *resetting) topics(held kadm.OffsetResponses) (topics, others []string) {
	if r.entity != "" {
		return []string{r.kafka.Topic(r.entity)}, nil
	}
	known := map[string]bool{}
	for _, e := range schema.Entities() {
		known[r.kafka.Topic(e.Name)] = true
	}
	for topic := range held {
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

func (r *resetting) announce(report resetReport) error {
	fmt.Fprintf(r.out, "group %s has no members; its offsets:\n", r.group)
	table := tabwriter.NewWriter(r.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  TOPIC\tPARTITION\tIS AT\tGOES TO\tTOPIC HOLDS\t")
	for _, m := range report.Offsets {
		was := "-"
		if m.Was >= 0 {
			was = fmt.Sprint(m.Was)
		}
		fmt.Fprintf(table, "  %s\t%d\t%s\t%d\t%d to %d\t%s\n", m.Topic, m.Partition, was, m.To, m.Start, m.End, m.Note)
	}
	if len(report.Others) > 0 {
		fmt.Fprintf(table, "left as they are: %s\n", strings.Join(report.Others, ", "))
	}
	return table.Flush()
}

// commit sets the offsets. A member that has joined meanwhile makes the broker
// refuse them.
func (r *resetting) commit(ctx context.Context, report resetReport) error {
	offsets := kadm.Offsets{}
	for _, m := range report.Offsets {
		offsets.Add(kadm.Offset{Topic: m.Topic, Partition: m.Partition, At: m.To, LeaderEpoch: -1, Metadata: "odastream replay"})
	}
	if err := r.adm.CommitAllOffsets(ctx, r.group, offsets); err != nil {
		return fmt.Errorf("set offsets of group %s: %w (has one of its programs been started meanwhile?)", r.group, err)
	}
	return nil
}
