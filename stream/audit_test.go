package stream

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odastream/internal/test/kafkatest"
)

func TestAuditJudgesTopicsAndTheirDeadLetters(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Cluster(t)
	cfg := Config{Brokers: cluster.ListenAddrs(), TopicPrefix: "a-", Partitions: 3}
	quiet := slog.New(slog.DiscardHandler)
	cl, err := NewClient(cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	topics := NewTopics(cl, cfg, quiet)
	adm := kadm.NewClient(cl)

	if err := topics.Ensure(t.Context(), []string{"Sag"}); err != nil {
		t.Fatal(err)
	}
	made := func(partitions int32, name string, config map[string]string) {
		t.Helper()
		values := map[string]*string{}
		for k, v := range config {
			values[k] = &v
		}
		if _, err := adm.CreateTopic(t.Context(), partitions, 1, values, name); err != nil {
			t.Fatal(err)
		}
	}
	made(5, "a-stemme", map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "1000", "max.message.bytes": "2000000"})
	made(3, "a-stemme.dlq", map[string]string{"cleanup.policy": "compact", "max.message.bytes": "2000000"})
	made(3, "a-aktoer", map[string]string{"cleanup.policy": "delete"})

	got, err := topics.Audit(t.Context(), []string{"Sag", "Stemme", "Aktør", "Fil"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Topics) != 8 || !slices.Equal(got.Missing, []string{"a-fil", "a-aktoer.dlq", "a-fil.dlq"}) || got.Unreadable != nil {
		t.Errorf("Audit = %+v, want 8 topics of which 3 are missing", got)
	}
	want := []string{
		"a-stemme tombstones: keeps tombstones for 1s", "a-stemme partitions: has 5, KAFKA_PARTITIONS is 3",
		"a-stemme dead-letters: has dead letters with cleanup.policy=compact", "a-stemme dead-letters: has dead letters with max.message.bytes=2000000",
		"a-aktoer compaction: has cleanup.policy=delete",
	}
	var breaches []string
	for _, b := range got.Breaches {
		breaches = append(breaches, b.Topic+" "+string(b.Rule)+": "+b.String())
	}
	if diff := cmp.Diff(want, breaches); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
}

func TestAuditDoesNotJudgeSettingsThatItMayNotRead(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Cluster(t)
	cfg := Config{Brokers: cluster.ListenAddrs(), TopicPrefix: "a-", Partitions: 3}
	quiet := slog.New(slog.DiscardHandler)
	cl, err := NewClient(cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	topics := NewTopics(cl, cfg, quiet)
	if err := topics.Ensure(t.Context(), []string{"Sag"}); err != nil {
		t.Fatal(err)
	}
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ResourceType, r.ResourceName, r.ErrorCode = asked.ResourceType, asked.ResourceName, kerr.TopicAuthorizationFailed.Code
			resp.Resources = append(resp.Resources, r)
		}
		return resp, nil, true
	})
	got, err := topics.Audit(t.Context(), []string{"Sag"})
	if err != nil || !slices.Equal(got.Unreadable, []string{"a-sag", "a-sag.dlq"}) || got.Breaches != nil {
		t.Errorf("Audit = %+v, %v, want two topics unreadable and no rule broken", got, err)
	}
}
