// Package progress shows how far a long work is: one line that is rewritten on a
// terminal, and a log line every ten seconds elsewhere, so that a log file never
// holds carriage returns.
//
// It knows nothing of the work.
package progress

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	redrawEvery = 200 * time.Millisecond // on a terminal
	logEvery    = 10 * time.Second       // elsewhere
)

// Line is a line of progress. It is safe for concurrent use. Lines that are
// printed beside it on a terminal go through Println, or they run into it.
type Line struct {
	w     io.Writer
	log   *slog.Logger
	width func() int // of the terminal; nil: it is none
	now   func() time.Time

	mu    sync.Mutex
	shown string    // what stands on the terminal's last line
	last  time.Time // when it was drawn or logged
}

// New shows progress on w if that is a terminal, and through log if it is not.
func New(w io.Writer, log *slog.Logger) *Line {
	l := &Line{w: w, log: log, now: time.Now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		l.width = func() int {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 {
				return width
			}
			return 80
		}
	}
	return l
}

// Set says how far the work is. It may be called as often as one likes: it
// redraws at most five times a second, and logs at most every ten seconds.
func (l *Line) Set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	every := redrawEvery
	if l.width == nil {
		every = logEvery
	}
	if now := l.now(); now.Sub(l.last) >= every {
		l.last = now
		l.show(text)
	}
}

// Done says how the work ended and leaves that standing.
func (l *Line) Done(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.show(text)
	if l.width != nil {
		fmt.Fprintln(l.w)
		l.shown = ""
	}
}

// Println prints a line of its own, above the progress on a terminal.
func (l *Line) Println(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown != "" {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
	fmt.Fprintln(l.w, text)
	if l.shown != "" {
		fmt.Fprint(l.w, l.shown)
	}
}

func (l *Line) show(text string) {
	if l.width == nil {
		l.log.Info("progress", "at", text)
		return
	}
	l.shown = cut(text, l.width()-1)
	fmt.Fprint(l.w, "\r"+l.shown+"\x1b[K")
}

// cut keeps a line on one line: a longer one would wrap, and a wrapped one
// cannot be rewritten.
func cut(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:max(width-1, 0)]) + "…"
}
