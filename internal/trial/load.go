package trial

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/apply"
	"odastream/capture"
	"odastream/stream"
)

// lookEvery is how often the progress is measured.
const lookEvery = 200 * time.Millisecond

// load is the progress of poller and sink.
type load struct {
	entities int
	complete int   // entities whose first load is complete
	rows     int64 // read by the loads that run and those just finished
	expected int64 // how many rows the source says these have
	failed   []string
	applied  int64
}

func measure(poller capture.Status, sink apply.Status) load {
	l := load{entities: len(poller.Entities)}
	for _, e := range poller.Entities {
		l.rows += e.Rows
		l.expected += max(e.Expected, e.Rows, 0)
		switch e.State {
		case capture.StateFollowing, capture.StateScanning, capture.StateAbsent, capture.StateDone:
			l.complete++
		case capture.StateFailed:
			l.failed = append(l.failed, e.Entity)
		}
	}
	for _, topic := range sink.Topics {
		for _, p := range topic.Partitions {
			l.applied += p.Next
		}
	}
	return l
}

// text is the progress in a line that fits on a terminal.
func (l load) text(f earlier, spent time.Duration) string {
	text := fmt.Sprintf("%s: %d/%d entities", l.kind(f), l.complete, l.entities)
	if l.expected > 0 {
		text += fmt.Sprintf(", %s of %s rows read", grouped(l.rows), grouped(l.expected))
	}
	text += ", " + grouped(l.applied) + " in Postgres"
	if left := l.left(spent); left > time.Minute {
		text += ", about " + roughly(left) + " to go"
	}
	if len(l.failed) > 0 {
		text += ", backing off: " + strings.Join(l.failed, " ")
	}
	return text
}

// kind is the name of the work.
func (l load) kind(f earlier) string {
	if f.Loaded >= l.entities {
		return "catching up"
	}
	return "first load"
}

// left estimates how long the load will still take; 0: unknown.
func (l load) left(spent time.Duration) time.Duration {
	if l.rows == 0 || spent < 5*time.Second {
		return 0
	}
	return time.Duration(float64(spent) / float64(l.rows) * float64(l.expected-l.rows))
}

// showLoad shows the first load's progress until everything is read and applied,
// or on a later start until the poller follows everything again.
func (t *trial) showLoad(ctx context.Context) error {
	admin, err := stream.NewClient(t.kafka, t.log)
	if err != nil {
		return err
	}
	defer admin.Close()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	firstRows := t.earlier.Applied > 0
	began := time.Now()
	for {
		l := measure(t.poller.Status(), t.sink.Status())
		if !firstRows && l.applied > 0 {
			firstRows = true
			t.screen.Println(fmt.Sprintf("first rows are in Postgres, %.1f s after the start", time.Since(t.began).Seconds()))
		}
		if l.complete == l.entities && t.allApplied(ctx, kadm.NewClient(admin)) {
			t.screen.Done(t.ready(ctx, l))
			t.screen.Println("each change from now on is a line:")
			return nil
		}
		t.screen.Set(l.text(t.earlier, time.Since(began)))
		select {
		case <-ctx.Done():
			t.screen.Done("stopped: " + l.text(t.earlier, 0) + "; the next start goes on from here")
			return nil
		case <-tick.C:
		}
	}
}

// ready says that the load is complete.
func (t *trial) ready(ctx context.Context, l load) string {
	rows := ""
	if n, err := countRows(ctx, t.pool); err == nil {
		rows = grouped(n) + " rows of "
	}
	return fmt.Sprintf("%s complete: %s%d entities in Postgres, %.1f s after the start",
		l.kind(t.earlier), rows, l.entities, time.Since(t.began).Seconds())
}

// allApplied says whether the sink has applied everything up to the topics' ends.
func (t *trial) allApplied(ctx context.Context, admin *kadm.Client) bool {
	names := make([]string, len(t.entities))
	for i, e := range t.entities {
		names[i] = t.kafka.Topic(e.Name)
	}
	ends, err := admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return false
	}
	at := map[string]map[int32]int64{}
	for _, topic := range t.sink.Status().Topics {
		at[topic.Topic] = map[int32]int64{}
		for _, p := range topic.Partitions {
			at[topic.Topic][p.Partition] = p.Next
		}
	}
	behind := false
	ends.Each(func(o kadm.ListedOffset) { behind = behind || at[o.Topic][o.Partition] < o.Offset })
	return !behind
}
