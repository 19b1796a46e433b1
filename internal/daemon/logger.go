package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"
)

// hidden replaces a secret in a log line.
const hidden = "(hidden)"

// NewLogger returns a logger to w as l says. It replaces secrets everywhere in messages
// and values. The default format is text if w is a terminal, else JSON.
func NewLogger(l Logging, w io.Writer, secrets []string) *slog.Logger {
	var level slog.Level
	// Level was already checked against slog's names.
	_ = level.UnmarshalText([]byte(l.Level))
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: hide(secrets)}
	if l.Format == "text" || l.Format == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newReplacer returns a replacer of each secret by hidden.
func newReplacer(secrets []string) *strings.Replacer {
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, hidden)
	}
	return strings.NewReplacer(pairs...)
}

// hide replaces secrets in messages and values. It is nil if there are none, so that
// logging then costs nothing more.
func hide(secrets []string) func([]string, slog.Attr) slog.Attr {
	if len(secrets) == 0 {
		return nil
	}
	replacer := newReplacer(secrets)
	return func(_ []string, a slog.Attr) slog.Attr {
		switch a.Value.Kind() {
		case slog.KindString:
			a.Value = slog.StringValue(replacer.Replace(a.Value.String()))
		case slog.KindAny:
			text := fmt.Sprintf("%+v", a.Value.Any())
			if clean := replacer.Replace(text); clean != text {
				a.Value = slog.StringValue(clean)
			}
		}
		return a
	}
}
