package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/schema"
	"odastream/stream"
)

// published returns a stand whose topic of Sag has twenty rows and two bad records: one
// that Postgres refuses and one that is unreadable.
func published(t *testing.T) *stand.Stand {
	t.Helper()
	s := stand.New(t, stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: kafkatest.Prefix(t), Partitions: 3}, "parliament-sink", "Sag")
	var changes []schema.Change
	for id := int64(1); id <= 20; id++ {
		changes = append(changes, stand.ChangeOf(id, 10, `{"titel":"good"}`))
	}
	s.Publish(t, append(changes, stand.ChangeOf(21, 10, `{"titel":"\u0000"}`))...)
	if err := s.Client.ProduceSync(t.Context(), &kgo.Record{Topic: s.Kafka.Topic("Sag"), Key: []byte("Sag:22"), Value: []byte("{")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs a command on a stand and returns its exit status and output.
func run(t *testing.T, s *stand.Stand, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	return Run(t.Context(), args, s.Environ(), &out, &out), out.String()
}

func TestReplayPrintsItsPlanAndItsResult(t *testing.T) {
	t.Parallel()
	s := published(t)
	status, out := run(t, s, "replay", "Sag", "--from", "start", "--dry-run")
	want(t, status, out, 0, "counting only (--dry-run)", "22 records read, 21 of all rows: 21 rows would be written", "nothing was done; 1 could not be applied")
	s.Want(t, stand.Rows, "")
	status, out = run(t, s, "replay", "Sag", "--from", "start")
	want(t, status, out, 1, "refused: ", "unreadable: ", ": 20 rows inserted, ", "; 2 could not be applied")
	if !strings.HasPrefix(out, "applying all rows of Sag once more to the cache") {
		t.Errorf("replay does not first say what it will do:\n%s", out)
	}
	s.Exec(t, `DELETE FROM parliamentary_data`)
	status, out = run(t, s, "replay", "Sag", "--from", "0", "--key", "Sag:2")
	want(t, status, out, 0, "applying row 2 of Sag", "1 rows inserted")
	status, out = run(t, s, "replay", "sag", "--from", "start", "--ids", "2..5", "--json")
	want(t, status, out, 0, `"chosen": 4,`, `"inserted": 3,`, `"stale": 1,`)
}

func TestReplayOfAGroupPrintsItsPlanAndItsResult(t *testing.T) {
	t.Parallel()
	s := published(t)
	adm, offsets := kadm.NewClient(s.Client), kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: s.Kafka.Topic("Sag"), Partition: 1, At: 3, LeaderEpoch: -1})
	if err := adm.CommitAllOffsets(t.Context(), "newsroom", offsets); err != nil {
		t.Fatal(err)
	}
	status, out := run(t, s, "replay", "--group", "newsroom", "--to", "start", "--dry-run")
	want(t, status, out, 0, "group newsroom has no members", "IS AT", "nothing was done (--dry-run)")
	status, out = run(t, s, "replay", "--group", "newsroom", "--to", "1", "--entity", "sag", "--partition", "1", "--json")
	want(t, status, out, 0, `"group": "newsroom"`, `"was": 3,`, `"to": 1,`)
	status, out = run(t, s, "replay", "--group", "newsroom", "--to", "24h")
	want(t, status, out, 0, "done: newsroom goes on from there when it is started")
	status, out = run(t, s, "replay", "--group", "newsroom", "--to", "999", "--entity", "Sag")
	want(t, status, out, 1, "is yet to come")
	status, out = run(t, s, "replay", "--group", "parliament-sink", "--to", "start")
	want(t, status, out, 1, "is the sink's group: where it is stands in Postgres")
}

func TestReplayUsage(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		args []string
		want string
	}{
		"no entity":           {[]string{"--from", "start"}, "which entity"},
		"unknown entity":      {[]string{"Sagg", "--from", "start"}, "Sagg"},
		"two entities":        {[]string{"Sag", "--entity", "Stemme", "--from", "start"}, "two entities"},
		"no place":            {[]string{"Sag"}, "from where"},
		"no sensible place":   {[]string{"Sag", "--from", "yesterday"}, "want start, an offset"},
		"a place to come":     {[]string{"Sag", "--from", "2999-01-01T00:00:00Z"}, "yet to come"},
		"a negative offset":   {[]string{"Sag", "--from", "-4"}, "want start, an offset"},
		"key and ids":         {[]string{"Sag", "--from", "start", "--key", "1", "--ids", "1..2"}, "not both"},
		"key of another set":  {[]string{"Sag", "--from", "start", "--key", "Stemme:1"}, "want the id of a row of Sag"},
		"ids the wrong way":   {[]string{"Sag", "--from", "start", "--ids", "5..1"}, "want FIRST..LAST"},
		"to without a group":  {[]string{"Sag", "--to", "start"}, "--to is for --group"},
		"group with from":     {[]string{"--group", "g", "--from", "start"}, "--to a place"},
		"group without place": {[]string{"--group", "g"}, "to where"},
		"group's bare offset": {[]string{"--group", "g", "--to", "5"}, "one topic only"},
		"no partition":        {[]string{"Sag", "--from", "start", "--partition", "-2"}, "--partition"},
		"two arguments":       {[]string{"Sag", "Stemme"}, "want odastream replay [ENTITY]"},
	} {
		var out bytes.Buffer
		status := Run(t.Context(), append([]string{"replay"}, tt.args...), []string{"DATABASE_URL=postgres://localhost:1/x", "KAFKA_BROKERS=localhost:1"}, &out, &out)
		if status != 2 || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: replay %q = %d, want 2 and %q:\n%s", claim, tt.args, status, tt.want, &out)
		}
	}
}
