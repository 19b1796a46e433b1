package apply_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// eventLog has the events of a history and the sinks' log lines, to explain a failure.
type eventLog struct {
	mu    sync.Mutex
	begun time.Time
	text  strings.Builder
}

func (w *eventLog) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(&w.text, "%8.3f %s", time.Since(w.begun).Seconds(), line)
	return len(line), nil
}

func (w *eventLog) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// logger writes the log lines of sink number n to the event log.
func (w *eventLog) logger(n int) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).With("sink", n)
}
