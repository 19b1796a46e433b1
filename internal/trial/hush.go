package trial

import (
	"context"
	"log/slog"
)

// hush drops warnings once the stop has begun, because clients then warn of connections
// that end. It keeps errors.
type hush struct {
	slog.Handler
	stopping <-chan struct{}
}

// Enabled implements slog.Handler.
func (h hush) Enabled(ctx context.Context, level slog.Level) bool {
	select {
	case <-h.stopping:
		return level >= slog.LevelError && h.Handler.Enabled(ctx, level)
	default:
		return h.Handler.Enabled(ctx, level)
	}
}

// WithAttrs implements slog.Handler.
func (h hush) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hush{h.Handler.WithAttrs(attrs), h.stopping}
}

// WithGroup implements slog.Handler.
func (h hush) WithGroup(name string) slog.Handler {
	return hush{h.Handler.WithGroup(name), h.stopping}
}
