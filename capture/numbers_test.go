package capture

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/odasim"
	"odastream/stream"
)

// rawRow puts a row with a member's value as it is into the parliament.
func (w *world) rawRow(id int64, value string) {
	w.t.Helper()
	row := fmt.Sprintf(`{"id":%d,"titel":%s,"opdateringsdato":%q}`, id, value, stampAt(w.sim.Now()))
	if err := w.sim.Put("Sag", []byte(row)); err != nil {
		w.t.Fatal(err)
	}
}

// letters counts the dead letters of Sag by class.
func (w *world) letters() map[stream.Class]int {
	w.t.Helper()
	got := map[stream.Class]int{}
	err := w.topics.ReadDeadLetters(w.t.Context(), w.kafka.Topic("Sag"), func(l stream.StoredDeadLetter) error { got[l.Class]++; return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// Postgres would write the row with a gigabyte of digits for everyone who reads it.
func TestARowWithNumbersOfAGigabyteIsDeadLettered(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.cfg.ScanEvery = time.Nanosecond
	w.sim.Advance(time.Second)
	w.rawRow(11, "["+strings.Repeat("1e131071,", 12_000)+"0]")
	w.put("Sag", 12, "ny", stampAt(w.sim.Now()))
	w.mustOnce()
	if got := w.letters(); got[stream.ClassSchema] != 1 || len(got) != 1 {
		t.Errorf("dead letters %v, want one of class schema", got)
	}
	if last, _ := w.lastRecord(11); last.Seq != 0 {
		t.Errorf("published %.80s", last.Data)
	}
	if last, _ := w.lastRecord(12); last.Seq == 0 {
		t.Error("the row behind it is not published")
	}
	w.rawRow(11, "[1e131071]") // mended
	w.mustOnce()
	w.checkTopic("Sag")
}

// Half of a surrogate pair is no Unicode. The row is published as the source gave it, once,
// and stops nobody; a sink dead-letters it.
func TestALoneSurrogateStopsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	w.cfg.ScanEvery = time.Nanosecond
	w.put("Sag", 1, "først", stampAt(atNoon()))
	w.rawRow(2, `"\ud800"`)
	w.rawRow(3, `{"\udc00x":1}`)
	w.put("Sag", 4, "sidst", stampAt(atNoon()))
	for range 3 {
		w.mustOnce()
	}
	if got := w.recordCount(); got != 4 {
		t.Errorf("%d records after three runs, want each row once", got)
	}
	w.exec(`DELETE FROM poller_positions`) // as after a restored database
	for range 3 {
		w.mustOnce()
	}
	if got := w.recordCount(); got > 6 {
		t.Errorf("%d records after the topic was read again, want the two rows once more at most", got)
	}
	w.sim.Advance(time.Second)
	w.put("Sag", 2, "rettet", stampAt(w.sim.Now()))
	w.mustOnce()
	if last, hidden := w.lastRecord(2); hidden || !strings.Contains(string(last.Data), "rettet") {
		t.Errorf("the mended row is %s, hidden %v", last.Data, hidden)
	}
}

// recordCount counts the records of Sag's topic, whatever they are.
func (w *world) recordCount() (n int) {
	w.t.Helper()
	_, err := w.topics.ReadLog(w.t.Context(), "Sag", nil, func(records []*kgo.Record) error { n += len(records); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}
