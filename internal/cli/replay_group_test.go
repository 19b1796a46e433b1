package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/replay"
)

// member joins the group, reads until n records came, commits them, and gives the
// lowest offset that it read of each partition. It stays in the group until its
// client is closed.
func (n *newsroom) member(t *testing.T, group string, records int) (cl *kgo.Client, first map[int32]int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.kafka.Brokers...), kgo.ClientID("reader-of-"+group), kgo.ConsumerGroup(group),
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

// committed are the group's offsets in the topic of Sag, by partition.
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

// offsetAt are the offsets of the first records at or behind a time.
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

func TestReplayHasAGroupReadAgain(t *testing.T) {
	t.Parallel()
	groupReadsAgain(t, newNewsroom(t, kafkatest.Fake(t)))
}

func TestReplayHasAGroupReadAgainOnRealKafka(t *testing.T) {
	t.Parallel()
	groupReadsAgain(t, newNewsroom(t, kafkatest.Real(t)))
}

func groupReadsAgain(t *testing.T, n *newsroom) {
	total := n.publish(t, 50)
	group := n.kafka.TopicPrefix + "newsroom"
	cl, _ := n.member(t, group, total)
	there := n.committed(t, group)

	status, out := n.odastream(t, "replay", "--group", group, "--to", "start")
	if status != 1 || !strings.Contains(out, "is active, with 1 members: reader-of-"+group+"@") {
		t.Errorf("replay of an active group = %d:\n%s", status, out)
	}
	// Whoever joins between the look and the setting: the broker itself refuses.
	r := replay.Group{Admin: n.adm, Name: group}
	if err := r.Set(t.Context(), replay.GroupReport{Offsets: []replay.GroupOffset{{Topic: n.topic(), To: 1}}}); err == nil {
		t.Error("offsets of an active group were set")
	}
	if diff := cmp.Diff(there, n.committed(t, group)); diff != "" {
		t.Errorf("offsets after two refusals (-want +got):\n%s", diff)
	}
	cl.Close()

	last := published.Add(200 * time.Second)
	status, out = n.odastream(t, "replay", "--group", group, "--to", last.Format(time.RFC3339), "--dry-run")
	if diff := cmp.Diff(there, n.committed(t, group)); status != 0 || diff != "" || !strings.Contains(out, "nothing was done") {
		t.Errorf("dry run = %d:\n%s\n(-want +got):\n%s", status, out, diff)
	}
	if status, out = n.odastream(t, "replay", "--group", group, "--to", last.Format(time.RFC3339)); status != 0 {
		t.Fatalf("replay --to a time = %d:\n%s", status, out)
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
	if status, out := n.odastream(t, "replay", "--group", group+"x", "--to", "start"); status != 1 || !strings.Contains(out, "has committed no offsets") {
		t.Errorf("replay of a group that is not there = %d:\n%s", status, out)
	}
}

func (n *newsroom) groupAtOffsets(t *testing.T, group string) {
	status, out := n.odastream(t, "replay", "--group", group, "--to", "5", "--entity", "sag", "--partition", "2", "--json")
	var report replay.GroupReport
	if err := json.Unmarshal([]byte(out), &report); status != 0 || err != nil || len(report.Offsets) != 1 || report.Offsets[0].To != 5 {
		t.Errorf("replay --to 5 = %d, %v:\n%s", status, err, out)
	}
	if got := n.committed(t, group)[2]; got != 5 {
		t.Errorf("offset of partition 2 = %d, want 5", got)
	}
	n.cut(t, 0, 7)
	there := n.committed(t, group)
	status, out = n.odastream(t, "replay", "--group", group, "--to", "6", "--entity", "Sag")
	if status != 1 || !strings.Contains(out, "offset 6 of topic "+n.topic()+" partition 0 is gone: it holds 7 to ") {
		t.Errorf("replay to an offset that is gone = %d:\n%s", status, out)
	}
	if diff := cmp.Diff(there, n.committed(t, group)); diff != "" {
		t.Errorf("offsets after a refusal (-want +got):\n%s", diff)
	}
	status, out = n.odastream(t, "replay", "--group", group, "--to", "5h")
	if diff := cmp.Diff(map[int32]int64{0: 7, 1: 0, 2: 0}, n.committed(t, group)); status != 0 || diff != "" || !strings.Contains(out, "what was before offset 7 is gone") {
		t.Errorf("replay to a time before the topic's start = %d:\n%s\n(-want +got):\n%s", status, out, diff)
	}
}

func TestReplayRefusesGroupsThatAreNotToBeSet(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 10)
	n.exec(t, `INSERT INTO sink_offsets (group_id, topic, topic_id, partition, next_offset) VALUES ('second-sink', 'x', '00000000-0000-0000-0000-000000000001', 0, 1)`)
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
		"one that reads no topic": {"elsewhere", "has read no entity's topic " + n.kafka.TopicPrefix + "*, only weather"},
	} {
		if status, out := n.odastream(t, "replay", "--group", tt.group, "--to", "start"); status != 1 || !strings.Contains(out, tt.want) {
			t.Errorf("%s: replay --group %s = %d, want 1 and %q:\n%s", claim, tt.group, status, tt.want, out)
		}
	}
}
