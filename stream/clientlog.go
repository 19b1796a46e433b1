package stream

import (
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kslog"
)

// repeatAfter is how long a message of the Kafka client is not logged again: for a
// broker that is down each client logs one a second.
const repeatAfter = 30 * time.Second

// clientLog passes the Kafka client's warnings and errors on, each message at
// most once in repeatAfter.
type clientLog struct {
	next *kslog.Logger

	mu     sync.Mutex
	logged map[string]time.Time
}

func newClientLog(log *slog.Logger) *clientLog {
	return &clientLog{next: kslog.New(log), logged: map[string]time.Time{}}
}

// Level implements kgo.Logger: warnings and errors only.
func (l *clientLog) Level() kgo.LogLevel { return min(l.next.Level(), kgo.LogLevelWarn) }

// Log implements kgo.Logger.
func (l *clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if l.due(msg, time.Now()) {
		l.next.Log(level, "kafka client: "+msg, keyvals...)
	}
}

func (l *clientLog) due(msg string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.logged[msg]; ok && now.Sub(last) < repeatAfter {
		return false
	}
	l.logged[msg] = now
	return true
}
