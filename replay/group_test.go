package replay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/replay"
)

// member joins the group, reads n records, commits them, and returns the lowest offset
// that it read of each partition. It stays in the group until its client is closed.
func (n *newsroom) member(t *testing.T, group string, records int) (cl *kgo.Client, first map[int32]int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.Kafka.Brokers...), kgo.ClientID("reader-of-"+group), kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(n.topic()), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	first = map[int32]int64{}
	for got := 0; got < records; {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			got++
			if at, seen := first[r.Partition]; !seen || r.Offset < at {
				first[r.Partition] = r.Offset
			}
		})
	}
	if err := cl.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cl, first
}

// committed returns the group's offsets in the topic of Sag, by partition.
func (n *newsroom) committed(t *testing.T, group string) map[int32]int64 {
	t.Helper()
	held, err := n.adm.FetchOffsets(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	at := map[int32]int64{}
	for p, o := range held[n.topic()] {
		at[p] = o.At
	}
	return at
}

// offsetAt returns the offsets of the first records at or after a time.
func (n *newsroom) offsetAt(t *testing.T, when time.Time) map[int32]int64 {
	t.Helper()
	listed, err := n.adm.ListOffsetsAfterMilli(t.Context(), when.UnixMilli(), n.topic())
	if err != nil {
		t.Fatal(err)
	}
	at := map[int32]int64{}
	for p, o := range listed[n.topic()] {
		at[p] = o.Offset
	}
	return at
}

func TestReplaySetsTheOffsetsOfAGroup(t *testing.T) {
	t.Parallel()
	groupReadsAgain(t, newNewsroom(t, kafkatest.Fake(t)))
}

func TestReplaySetsTheOffsetsOfAGroupOnRealKafka(t *testing.T) {
	t.Parallel()
	groupReadsAgain(t, newNewsroom(t, kafkatest.Real(t)))
}

// set makes the group continue from a place, and returns the plan.
func (n *newsroom) set(t *testing.T, group, entity string, to replay.Place, partition int) (replay.GroupReport, error) {
	t.Helper()
	g := n.group(group)
	report, err := g.Plan(t.Context(), entity, to, partition)
	if err == nil {
		err = g.Set(t.Context(), report)
	}
	return report, err
}

// group returns a Group on the stand.
func (n *newsroom) group(name string) *replay.Group {
	return &replay.Group{Name: name, Admin: n.adm, Kafka: n.Kafka, Sink: n.Group, Reader: cache.NewReader(n.Pool)}
}

func groupReadsAgain(t *testing.T, n *newsroom) {
	total := n.publish(t, 50)
	group := n.Kafka.TopicPrefix + "newsroom"
	cl, _ := n.member(t, group, total)
	there := n.committed(t, group)

	if _, err := n.set(t, group, "", replay.Start(), replay.AllPartitions); err == nil || !strings.Contains(err.Error(), "is active, with 1 members: reader-of-"+group+"@") {
		t.Errorf("Plan for an active group = %v", err)
	}
	// If a member joins between Plan and Set, the broker refuses.
	if err := n.group(group).Set(t.Context(), replay.GroupReport{Offsets: []replay.GroupOffset{{Topic: n.topic(), To: 1}}}); err == nil {
		t.Error("offsets of an active group were set")
	}
	if diff := cmp.Diff(there, n.committed(t, group)); diff != "" {
		t.Errorf("offsets after two refusals (-want +got):\n%s", diff)
	}
	cl.Close()

	last := published.Add(200 * time.Second)
	if _, err := n.group(group).Plan(t.Context(), "", replay.AtTime(last), replay.AllPartitions); err != nil {
		t.Errorf("Plan: %v", err)
	}
	if diff := cmp.Diff(there, n.committed(t, group)); diff != "" {
		t.Errorf("offsets after a plan (-want +got):\n%s", diff)
	}
	if _, err := n.set(t, group, "", replay.AtTime(last), replay.AllPartitions); err != nil {
		t.Fatalf("Set to a time: %v", err)
	}
	want := n.offsetAt(t, last)
	if diff := cmp.Diff(want, n.committed(t, group)); diff != "" {
		t.Errorf("offsets of %s (-want +got):\n%s", last, diff)
	}
	// Read the last round again; deletes are followed by their tombstones.
	cl, first := n.member(t, group, 55)
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("first offsets that the group read (-want +got):\n%s", diff)
	}
	cl.Close()
	n.groupAtOffsets(t, group)
	if _, err := n.set(t, group+"x", "", replay.Start(), replay.AllPartitions); err == nil || !strings.Contains(err.Error(), "has committed no offsets") {
		t.Errorf("Plan for a group that is not there = %v", err)
	}
}

func (n *newsroom) groupAtOffsets(t *testing.T, group string) {
	report, err := n.set(t, group, "Sag", replay.AtOffset(5), 2)
	if err != nil || len(report.Offsets) != 1 || report.Offsets[0].To != 5 {
		t.Errorf("Set to offset 5 = %+v, %v", report, err)
	}
	if got := n.committed(t, group)[2]; got != 5 {
		t.Errorf("offset of partition 2 = %d, want 5", got)
	}
	n.cut(t, 0, 7)
	there := n.committed(t, group)
	_, err = n.set(t, group, "Sag", replay.AtOffset(6), replay.AllPartitions)
	if err == nil || !strings.Contains(err.Error(), "offset 6 of topic "+n.topic()+" partition 0 is gone: it holds 7 to ") {
		t.Errorf("Plan for an offset that is gone = %v", err)
	}
	if diff := cmp.Diff(there, n.committed(t, group)); diff != "" {
		t.Errorf("offsets after a refusal (-want +got):\n%s", diff)
	}
	report, err = n.set(t, group, "", replay.AtTime(time.Now().Add(-5*time.Hour)), replay.AllPartitions)
	diff := cmp.Diff(map[int32]int64{0: 7, 1: 0, 2: 0}, n.committed(t, group))
	if err != nil || diff != "" || report.Offsets[0].Note != "what was before offset 7 is gone" {
		t.Errorf("Set to a time before the topic's start = %+v, %v\n(-want +got):\n%s", report, err, diff)
	}
}

func TestReplayRefusesGroupsThatItMustNotSet(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 10)
	n.Exec(t, `INSERT INTO sink_offsets (group_id, topic, topic_id, partition, next_offset) VALUES ('second-sink', 'x', '00000000-0000-0000-0000-000000000001', 0, 1)`)
	foreign := kadm.Offsets{}
	foreign.Add(kadm.Offset{Topic: "weather", Partition: 0, At: 1, LeaderEpoch: -1})
	if _, err := n.adm.CreateTopics(t.Context(), 1, 1, nil, "weather"); err != nil {
		t.Fatal(err)
	}
	if err := n.adm.CommitAllOffsets(t.Context(), "elsewhere", foreign); err != nil {
		t.Fatal(err)
	}
	for claim, tt := range map[string]struct{ group, want string }{
		"the sink's":              {"parliament-sink", "is the sink's group: where it is stands in Postgres"},
		"another sink's":          {"second-sink", "odastream rebuild ENTITY"},
		"one that is not there":   {"newsrom", "has committed no offsets"},
		"one that reads no topic": {"elsewhere", "has read no entity's topic " + n.Kafka.TopicPrefix + "*, only weather"},
	} {
		if _, err := n.set(t, tt.group, "", replay.Start(), replay.AllPartitions); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Plan for group %s = %v, want %q", claim, tt.group, err, tt.want)
		}
	}
}
