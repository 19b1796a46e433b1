package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestDeadLettersAreReadBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		topic := b.cfg.Topic("Sag")
		first := original()
		first.Topic = topic
		large := big("Sag", 8, 3*keptBytes).AppendJSON(nil)
		want := []DeadLetter{
			{Record: first, HasOffset: true, Group: "parliament-sink", Class: ClassData, Err: "bad", SQLState: "22P05", Attempts: 3, FailedAt: failedAt},
			{Record: &kgo.Record{Topic: topic, Key: []byte("Sag:7"), Timestamp: captured, Headers: headers("ce_id", "Sag:7:9")}, Group: "poller", Class: ClassDecode, Err: "no id", Attempts: 1, FailedAt: failedAt},
			{Record: &kgo.Record{Topic: topic, Key: []byte("Sag:7"), Timestamp: captured, Value: large}, Group: "poller", Class: ClassTooLarge, Err: "large", Attempts: 1, FailedAt: failedAt},
		}
		if err := b.publisher(t).DeadLetter(t.Context(), want...); err != nil {
			t.Fatal(err)
		}
		var got []DeadLetter
		var cut []bool
		err := b.topics.ReadDeadLetters(t.Context(), topic, func(l StoredDeadLetter) error {
			got, cut = append(got, l.DeadLetter), append(cut, l.Cut())
			if l.Offset != int64(len(got)-1) || l.Size < len(l.Record.Value) {
				t.Errorf("dead letter %d is at %d, with %d bytes", len(got)-1, l.Offset, l.Size)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want[2].Record.Value = large[:keptBytes]
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(kgo.Record{}, "Context"), cmpopts.IgnoreUnexported(kgo.Record{}, kgo.RecordAttrs{}),
			cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(time.Millisecond)); diff != "" { // dlq.timestamp has no more
			t.Errorf("letters (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]bool{false, false, true}, cut); diff != "" {
			t.Errorf("cut (-want +got):\n%s", diff)
		}
		ended := errors.New("enough")
		if err := b.topics.ReadDeadLetters(t.Context(), topic, func(StoredDeadLetter) error { return ended }); !errors.Is(err, ended) {
			t.Errorf("ReadDeadLetters with an fn that ends it = %v", err)
		}
		if err := b.topics.ReadDeadLetters(t.Context(), b.cfg.Topic("Periode"), nil); !errors.Is(err, ErrNoTopic) {
			t.Errorf("ReadDeadLetters of no topic = %v, want ErrNoTopic", err)
		}
	})
}

func TestARecordThatIsNoDeadLetterHasAnError(t *testing.T) {
	t.Parallel()
	got := storedDeadLetter("parliament-sag", &kgo.Record{Key: []byte("Sag:7"), Headers: headers("dlq.partition", "2", "dlq.offset", "x")})
	if got.Class != "" || got.Err == "" || got.HasOffset {
		t.Errorf("storedDeadLetter = %+v, want no class, an error and no offset", got)
	}
}

func TestEventSeq(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		key  string
		id   []string
		want int64
	}{
		"of a change":                 {"Sag:7", []string{"ce_id", "Sag:7:1795445400123456"}, 1795445400123456},
		"none without the header":     {"Sag:7", nil, 0},
		"none of another key":         {"Sag:7", []string{"ce_id", "Sag:8:9"}, 0},
		"none that is no number":      {"Sag:7", []string{"ce_id", "Sag:7:x"}, 0},
		"none below zero":             {"Sag:7", []string{"ce_id", "Sag:7:-1"}, 0},
		"none of an id without colon": {"Sag:7", []string{"ce_id", "9"}, 0},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := EventSeq(&kgo.Record{Key: []byte(tc.key), Headers: headers(tc.id...)}); got != tc.want {
				t.Errorf("EventSeq(%s, %v) = %d, want %d", tc.key, tc.id, got, tc.want)
			}
		})
	}
}
