package stream

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/internal/test/kafkatest"
)

// auditBench gives a bench on a fake broker with the topics of Sag, a-sag and a-sag.dlq.
func auditBench(t *testing.T) *bench {
	t.Helper()
	b := onFake(t)
	b.cfg.TopicPrefix = "a-"
	b.topics = NewTopics(b.cl, b.cfg, b.log.logger())
	b.ensure(t, "Sag")
	return b
}

func TestAuditJudgesTopicsAndTheirDeadLetters(t *testing.T) {
	t.Parallel()
	b := auditBench(t)
	adm := kadm.NewClient(b.cl)
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

	got, err := b.topics.Audit(t.Context(), []string{"Sag", "Stemme", "Aktør", "Fil"})
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
	b := auditBench(t)
	kafkatest.HideSettings(b.fake)
	got, err := b.topics.Audit(t.Context(), []string{"Sag"})
	if err != nil || !slices.Equal(got.Unreadable, []string{"a-sag", "a-sag.dlq"}) || got.Breaches != nil {
		t.Errorf("Audit = %+v, %v, want two topics unreadable and no rule broken", got, err)
	}
}
