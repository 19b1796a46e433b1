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

// Progress shows the progress of long work: a line that is rewritten on a terminal, and
// elsewhere a log line every ten seconds. It is safe for concurrent use. On a terminal
// other lines must go through Println, or they mix with it.
type Progress struct {
	w     io.Writer
	log   *slog.Logger
	width func() int // of the terminal; nil: not a terminal
	now   func() time.Time

	mu    sync.Mutex
	shown string    // text of the terminal's last line
	last  time.Time // when it was drawn or logged
}

// NewProgress returns a Progress that writes to w if that is a terminal, else to log.
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

// Set sets the progress. It may be called at any rate: it redraws at most five times a
// second, and logs at most every ten seconds.
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

// Done shows how the work ended. Its line stays on the terminal.
func (p *Progress) Done(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(text)
	if p.width != nil {
		fmt.Fprintln(p.w)
		p.shown = ""
	}
}

// Println prints a line, on a terminal above the progress.
func (p *Progress) Println(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	fmt.Fprintln(p.w, Visible(text))
	if p.shown != "" {
		fmt.Fprint(p.w, p.shown)
	}
}

func (p *Progress) show(text string) {
	if p.width == nil {
		p.log.Info("progress", "at", text)
		return
	}
	p.shown = cut(Visible(text), p.width()-1)
	fmt.Fprint(p.w, "\r"+p.shown+"\x1b[K")
}

// cut shortens text to width: a longer line would wrap, and a wrapped line cannot be
// rewritten.
func cut(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:max(width-1, 0)]) + "…"
}
