package stream

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/machine"
	"odastream/schema"
)

var failedAt = time.Date(2026, 11, 23, 15, 11, 0, 5000, time.UTC)

func original() *kgo.Record {
	return &kgo.Record{
		Topic: "parliament-sag", Partition: 2, Offset: 41, Timestamp: captured,
		Key: []byte("Sag:7"), Value: []byte("no JSON"), Headers: headers("ce_id", "Sag:7:9"),
	}
}

func TestDeadLetterHasTheContractsHeaders(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		letter DeadLetter
		want   []kgo.RecordHeader
	}{
		"of a record that was on its topic": {
			DeadLetter{Record: original(), HasOffset: true, Group: "parliament-sink", Class: ClassData, Err: "bad \\u0000", SQLState: "22P05", Attempts: 3, FailedAt: failedAt},
			headers("ce_id", "Sag:7:9", "dlq.topic", "parliament-sag", "dlq.partition", "2", "dlq.offset", "41",
				"dlq.timestamp", "2026-11-23T15:10:00.123Z", "dlq.group", "parliament-sink", "dlq.class", "data", "dlq.error", "bad \\u0000",
				"dlq.sqlstate", "22P05", "dlq.attempts", "3", "dlq.failed_at", "2026-11-23T15:11:00.000005Z"),
		},
		"of a record that never was on a topic": {
			DeadLetter{Record: &kgo.Record{Topic: "parliament-sag", Key: []byte("Sag:7"), Value: []byte("no JSON")}, Group: "poller", Class: ClassDecode, Err: "no id", Attempts: 1, FailedAt: failedAt},
			headers("dlq.topic", "parliament-sag",
				"dlq.timestamp", "2026-11-23T15:11:00.000Z", "dlq.group", "poller", "dlq.class", "decode", "dlq.error", "no id",
				"dlq.attempts", "1", "dlq.failed_at", "2026-11-23T15:11:00.000005Z"),
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got := tc.letter.record(1 << 20)
			if diff := cmp.Diff(tc.want, got.Headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if got.Topic != "parliament-sag.dlq" || string(got.Key) != "Sag:7" || string(got.Value) != "no JSON" {
				t.Errorf("dead letter is %s %s %s", got.Topic, got.Key, got.Value)
			}
		})
	}
}

func TestADeadLetterLeavesItsOriginalAlone(t *testing.T) {
	t.Parallel()
	rec := original()
	rec.Headers = append(make([]kgo.RecordHeader, 0, 99), rec.Headers...) // room to write into
	DeadLetter{Record: rec, Class: ClassData}.record(1 << 20)
	if spare := rec.Headers[:2][1]; spare.Key != "" {
		t.Errorf("wrote header %s behind the original's", spare.Key)
	}
}

func TestDeadLettersAreCutToTheLimit(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		class Class
		size  int
		limit int
		kept  int
		note  string
	}{
		"a value that is too large keeps 64 KiB":      {ClassTooLarge, 3 << 20, 1 << 20, 64 << 10, "3145728"},
		"a small one that is too large is kept whole": {ClassTooLarge, 100, 1 << 20, 100, "100"},
		"a bad record that fits is kept whole":        {ClassData, 1 << 20, 1<<20 + deadLetterRoom, 1 << 20, ""},
		"a bad record that does not fit is cut":       {ClassDecode, 1 << 20, 1 << 20, 64 << 10, "1048576"},
		"a tombstone stays one":                       {ClassSchema, -1, 1 << 20, -1, ""},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			rec := original()
			rec.Value = nil
			if tc.size >= 0 {
				rec.Value = bytes.Repeat([]byte("x"), tc.size)
			}
			got := DeadLetter{Record: rec, HasOffset: true, Class: tc.class}.record(tc.limit)
			if tc.kept < 0 {
				if got.Value != nil {
					t.Fatal("a null value was made a value")
				}
				return
			}
			if len(got.Value) != tc.kept {
				t.Errorf("kept %d bytes, want %d", len(got.Value), tc.kept)
			}
			if size, _ := header(got, HeaderDeadSize); size != tc.note {
				t.Errorf("dlq.size is %q, want %q", size, tc.note)
			}
		})
	}
}

// A compressed record may be far above the limit of its topic, in any of its parts.
func TestADeadLetterFitsWhateverIsLarge(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	large := bytes.Repeat([]byte("x"), 2*limit)
	for part, fill := range map[string]func(*kgo.Record){
		"key":                func(r *kgo.Record) { r.Key = large },
		"value":              func(r *kgo.Record) { r.Value = large },
		"a header":           func(r *kgo.Record) { r.Headers = headers("x", string(large)) },
		"a header like ours": func(r *kgo.Record) { r.Headers = headers(HeaderDeadError, string(large)) },
		"everything":         func(r *kgo.Record) { r.Key, r.Value, r.Headers = large, large, headers(string(large), string(large)) },
	} {
		for _, class := range []Class{ClassDecode, ClassTooLarge} {
			rec := original()
			fill(rec)
			got := DeadLetter{Record: rec, HasOffset: true, Class: class, Err: string(large), FailedAt: failedAt}.record(limit)
			if n := recordSize(got); n > limit {
				t.Errorf("%s is large, class %s: the dead letter has %d bytes, want %d at most", part, class, n, limit)
			}
			if at, ok := header(got, HeaderDeadOffset); !ok || at != "41" {
				t.Errorf("%s is large, class %s: the dead letter has lost its offset", part, class)
			}
		}
	}
}

func TestALongErrorIsCutAtACharacter(t *testing.T) {
	t.Parallel()
	rec := DeadLetter{Record: original(), Class: ClassData, Err: "x" + strings.Repeat("æ", 5000)}.record(1 << 20)
	got, _ := header(rec, HeaderDeadError)
	if want := "x" + strings.Repeat("æ", 2047); got != want {
		t.Errorf("dlq.error has %d bytes, want %d", len(got), len(want))
	}
}

func TestDeadLettersAreOnTheirTopicOnReturn(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag", "Stemme")
		p := b.publisher(t)
		sag, stemme := original(), original()
		sag.Topic, stemme.Topic = b.cfg.Topic("Sag"), b.cfg.Topic("Stemme")
		err := p.DeadLetter(t.Context(),
			DeadLetter{Record: sag, HasOffset: true, Class: ClassDecode}, DeadLetter{Record: stemme, HasOffset: true, Class: ClassSchema})
		if err != nil {
			t.Fatal(err)
		}
		for entity, class := range map[string]Class{"Sag": ClassDecode, "Stemme": ClassSchema} {
			letters := b.deadLetters(t, entity)
			if len(letters) != 1 {
				t.Fatalf("%s has %d dead letters, want 1", entity, len(letters))
			}
			if got, _ := header(letters[0], HeaderDeadClass); got != string(class) {
				t.Errorf("class of %s is %s, want %s", entity, got, class)
			}
		}
	})
}

func TestDeadLetterWithoutATopicIsAnError(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	rec := original()
	rec.Topic = b.cfg.Topic("Sag")
	err := b.publisher(t).DeadLetter(t.Context(), DeadLetter{Record: rec, Class: ClassDecode})
	if !errors.Is(err, ErrNoTopic) {
		t.Errorf("DeadLetter = %v, want ErrNoTopic", err)
	}
}

func TestATombstoneIsDeadLetteredAsOne(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	rec := original()
	rec.Topic, rec.Value = b.cfg.Topic("Sag"), nil
	if err := b.publisher(t).DeadLetter(t.Context(), DeadLetter{Record: rec, Class: ClassSchema}); err != nil {
		t.Fatal(err)
	}
	if got := b.deadLetters(t, "Sag"); len(got) != 1 || got[0].Value != nil {
		t.Errorf("dead letters %v, want one without a value", got)
	}
}

func TestAChangeTooLargeIsDeadLettered(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		p := b.publisher(t)
		acks := publish(t, p, update("Sag", 1, 1), big("Sag", 2, 2<<20), update("Sag", 3, 3))
		if len(acks) != 2 {
			t.Errorf("%d acks, want 2: the large one has none", len(acks))
		}
		if got := len(b.records(t, "Sag")); got != 2 {
			t.Errorf("topic has %d records, want 2", got)
		}
		letters := b.deadLetters(t, "Sag")
		if len(letters) != 1 {
			t.Fatalf("%d dead letters, want 1", len(letters))
		}
		letter := letters[0]
		if string(letter.Key) != "Sag:2" || len(letter.Value) != 64<<10 {
			t.Errorf("dead letter has key %s and %d bytes, want Sag:2 and 64 KiB", letter.Key, len(letter.Value))
		}
		for key, want := range map[string]string{
			HeaderDeadClass: "too_large", HeaderDeadSize: "2097152", HeaderDeadGroup: "poller", HeaderDeadAttempts: "1", headerID: "Sag:2:2",
		} {
			if got, _ := header(letter, key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		for _, key := range []string{HeaderDeadPartition, HeaderDeadOffset} {
			if got, ok := header(letter, key); ok {
				t.Errorf("%s is %q, want none: it never was on the topic", key, got)
			}
		}
	})
}

// On a real broker a record just under the limit must be written, and one above it
// must not be an error.
func TestTheLimitIsTheTopicsOwn(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		limit := "200000"
		name := b.cfg.Topic("Sag")
		if _, err := b.topics.adm.CreateTopic(t.Context(), 3, 1, map[string]*string{configMaxMessage: &limit, configCleanup: new("compact")}, name); err != nil {
			t.Fatal(err)
		}
		b.ensure(t, "Sag")
		p := b.publisher(t, kgo.ProducerBatchCompression(kgo.NoCompression()))
		c := big("Sag", 1, 150000)
		room := 200000 - recordSize(p.enc.records(c)[0])
		fits, above := big("Sag", 1, 150000+room), big("Sag", 2, 150000+room+1)
		if got := publish(t, p, fits, above); len(got) != 1 {
			t.Errorf("%d acks, want 1", len(got))
		}
		if got := keys(b.records(t, "Sag")); !cmp.Equal(got, []string{"Sag:1:1"}) {
			t.Errorf("topic has %v, want the one that fits", got)
		}
	})
}

// The limit was lowered after it was read: the broker refuses a batch; the records
// within the limit are written, the one above it is dead-lettered.
func TestALoweredLimitIsReadAgainWhenTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		b.ensure(t, "Sag")
		p := b.publisher(t, kgo.ProducerBatchCompression(kgo.NoCompression()))
		publish(t, p, update("Sag", 1, 1))
		b.setLimit(t, b.cfg.Topic("Sag"), 20000)
		acks, err := b.publishUntilRefused(t, p)
		if err != nil {
			t.Fatal(err)
		}
		if len(acks) != 2 {
			t.Errorf("%d acks, want 2", len(acks))
		}
		letters := b.deadLetters(t, "Sag")
		if len(letters) == 0 || string(letters[0].Key) != "Sag:3" {
			t.Errorf("%d dead letters, want the one of Sag:3", len(letters))
		}
	})
}

// publishUntilRefused publishes until the broker applies the new limit: a real one does
// so a moment after it has confirmed it.
func (b *bench) publishUntilRefused(t *testing.T, p *Publisher) ([]Ack, error) {
	t.Helper()
	ctx := machine.Context(t, "the new limit")
	for {
		acks, err := p.Publish(ctx, []schema.Change{update("Sag", 2, 2), big("Sag", 3, 30000), update("Sag", 4, 4)})
		if err != nil || len(acks) < 3 {
			return acks, err
		}
	}
}

func TestADeadLetterAboveItsTopicsLoweredLimitIsCut(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	p := b.publisher(t, kgo.ProducerBatchCompression(kgo.NoCompression()))
	rec := original()
	rec.Topic, rec.Value = b.cfg.Topic("Sag"), bytes.Repeat([]byte("x"), 200<<10)
	letter := DeadLetter{Record: rec, HasOffset: true, Class: ClassDecode}
	if err := p.DeadLetter(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	b.setLimit(t, b.cfg.DeadLetterTopic("Sag"), 100<<10)
	if err := p.DeadLetter(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	letters := b.deadLetters(t, "Sag")
	if len(letters) != 2 || len(letters[1].Value) != 64<<10 {
		t.Fatalf("%d dead letters, want 2, the second cut", len(letters))
	}
	b.setLimit(t, b.cfg.DeadLetterTopic("Sag"), 1000)
	if err := p.DeadLetter(t.Context(), letter); err == nil || !strings.Contains(err.Error(), "raise its max.message.bytes") {
		t.Errorf("DeadLetter to a topic that takes nothing = %v, want what to do", err)
	}
}
