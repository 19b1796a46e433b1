package apply_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// tale is what happened and what the sinks said, for whoever has to understand a
// failure.
type tale struct {
	mu    sync.Mutex
	begun time.Time
	text  strings.Builder
}

func (w *tale) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(&w.text, "%8.3f %s", time.Since(w.begun).Seconds(), line)
	return len(line), nil
}

func (w *tale) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// logger writes what sink number n says into the tale.
func (w *tale) logger(n int) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).With("sink", n)
}
