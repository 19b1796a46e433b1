package console

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Handler is a slog.Handler that writes for a person: one line a record, which shows the
// level only of warnings and errors. It is safe for concurrent use if its print is.
type Handler struct {
	print func(line string)
	level slog.Leveler
	attrs []slog.Attr
	group string // of later attributes, with a dot at its end
}

// NewHandler returns a handler that passes each record of level or above to print, as a
// line without a newline: "19:45:02 warning: entity backs off (entity Fil): time-out".
// The value of an attribute "err", "error" or "at" (of progress) comes last.
func NewHandler(print func(line string), level slog.Leveler) *Handler {
	return &Handler{print: print, level: level}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *h
	more.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		a.Key = h.group + a.Key
		more.attrs = append(more.attrs, a)
	}
	return &more
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	more := *h
	more.group += name + "."
	return &more
}

// Handle implements slog.Handler.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	line := message{}
	for _, a := range h.attrs {
		line.add(a.Key, a.Value)
	}
	r.Attrs(func(a slog.Attr) bool {
		line.add(h.group+a.Key, a.Value)
		return true
	})
	h.print(r.Time.Format(time.TimeOnly) + " " + prefix(r.Level) + line.text(r.Message))
	return nil
}

// prefix returns the beginning of the line of a warning or an error.
func prefix(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "ERROR: "
	case level >= slog.LevelWarn:
		return "warning: "
	default:
		return ""
	}
}

// message collects the text that follows a record's message on its line.
type message struct {
	details []string
	cause   string
}

func (m *message) add(key string, v slog.Value) {
	v = v.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, a := range v.Group() {
			m.add(key+"."+a.Key, a.Value)
		}
		return
	}
	text := strings.Join(strings.Fields(format(v)), " ")
	switch key {
	case "err", "error", "at":
		m.cause = text
	default:
		m.details = append(m.details, strings.ReplaceAll(key, "_", " ")+" "+text)
	}
}

// format returns a value as text for a person. It rounds a duration to tenths of a
// second.
func format(v slog.Value) string {
	if v.Kind() == slog.KindDuration {
		return v.Duration().Round(100 * time.Millisecond).String()
	}
	return fmt.Sprint(v.Any())
}

func (m *message) text(what string) string {
	if len(m.details) > 0 {
		what += " (" + strings.Join(m.details, ", ") + ")"
	}
	if m.cause != "" {
		what += ": " + m.cause
	}
	return what
}
