package console

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

// Progress is the line that shows how far long work is: rewritten on a terminal,
// and a log line every ten seconds elsewhere. It is safe for concurrent use. Lines
// that are printed beside it on a terminal go through Println, or they run into it.
type Progress struct {
	w     io.Writer
	log   *slog.Logger
	width func() int // of the terminal; nil: it is none
	now   func() time.Time

	mu    sync.Mutex
	shown string    // what the terminal's last line shows
	last  time.Time // when it was drawn or logged
}

// NewProgress shows progress on w if that is a terminal, and through log if it is
// not.
func NewProgress(w io.Writer, log *slog.Logger) *Progress {
	p := &Progress{w: w, log: log, now: time.Now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.width = func() int {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 {
				return width
			}
			return 80
		}
	}
	return p
}

// Set says how far the work is. It may be called at any rate: it
// redraws at most five times a second, and logs at most every ten seconds.
func (p *Progress) Set(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := redrawEvery
	if p.width == nil {
		every = logEvery
	}
	if now := p.now(); now.Sub(p.last) >= every {
		p.last = now
		p.show(text)
	}
}

// Done says how the work ended. Its line stays on the terminal.
func (p *Progress) Done(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(text)
	if p.width != nil {
		fmt.Fprintln(p.w)
		p.shown = ""
	}
}

// Println prints a line of its own, above the progress on a terminal.
func (p *Progress) Println(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	fmt.Fprintln(p.w, text)
	if p.shown != "" {
		fmt.Fprint(p.w, p.shown)
	}
}

func (p *Progress) show(text string) {
	if p.width == nil {
		p.log.Info("progress", "at", text)
		return
	}
	p.shown = cut(text, p.width()-1)
	fmt.Fprint(p.w, "\r"+p.shown+"\x1b[K")
}

// cut shortens text to width: a longer line would wrap, and a wrapped one cannot
// be rewritten.
func cut(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:max(width-1, 0)]) + "…"
}
