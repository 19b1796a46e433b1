package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTheClientDoesNotRepeatAMessage(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	l := newClientLog(log.logger())
	for range 100 {
		l.Log(kgo.LogLevelWarn, "unable to dial", "broker", 1)
		l.Log(kgo.LogLevelError, "unable to read", "broker", 1)
	}
	for _, want := range []string{"kafka client: unable to dial", "kafka client: unable to read"} {
		if got := strings.Count(log.String(), want); got != 1 {
			t.Errorf("%q is logged %d times, want once:\n%s", want, got, log)
		}
	}
	begin := time.Now()
	for claim, tc := range map[string]struct {
		after time.Duration
		want  bool
	}{"too soon": {repeatAfter - time.Second, false}, "again in time": {repeatAfter, true}} {
		l.logged["x"] = begin
		if got := l.due("x", begin.Add(tc.after)); got != tc.want {
			t.Errorf("%s: due = %v, want %v", claim, got, tc.want)
		}
	}
}

func TestOnlyWarningsOfTheClientAreLogged(t *testing.T) {
	t.Parallel()
	if got := newClientLog((&logBuffer{}).logger()).Level(); got != kgo.LogLevelWarn {
		t.Errorf("Level = %v, want warn", got)
	}
}
