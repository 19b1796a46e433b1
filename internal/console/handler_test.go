package console_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/console"
)

func TestLines(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		log  func(*slog.Logger)
		want []string
	}{
		"a plain message": {
			func(l *slog.Logger) { l.Info("stopped") }, []string{"stopped"},
		},
		"a fault says its cause last": {
			func(l *slog.Logger) { l.Warn("entity backs off", "error", errors.New("time-out"), "entity", "Fil") },
			[]string{"warning: entity backs off (entity Fil): time-out"},
		},
		"a cause of several lines is one": {
			func(l *slog.Logger) { l.Error("no", "err", "a\n  b\n") }, []string{"ERROR: no: a b"},
		},
		"attributes of the logger, and groups": {
			func(l *slog.Logger) {
				l.With("entity", "Sag").WithGroup("page").Info("read", "last_id", 7, slog.Group("of", "n", 2))
			},
			[]string{"read (entity Sag, page.last id 7, page.of.n 2)"},
		},
		"progress is what it is at": {
			func(l *slog.Logger) { l.Info("progress", "at", "3 of 5") }, []string{"progress: 3 of 5"},
		},
		"a duration in short": {
			func(l *slog.Logger) { l.Info("again", "in", 4231987654*time.Nanosecond) }, []string{"again (in 4.2s)"},
		},
		"what is below the level is not said": {
			func(l *slog.Logger) { l.Debug("detail") }, nil,
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var got []string
			c.log(slog.New(console.NewHandler(func(line string) {
				_, rest, _ := strings.Cut(line, " ") // the time of day
				got = append(got, rest)
			}, slog.LevelInfo)))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLineBeginsWithTheTimeOfDay(t *testing.T) {
	t.Parallel()
	var line string
	slog.New(console.NewHandler(func(l string) { line = l }, slog.LevelInfo)).Info("stopped")
	if _, err := time.Parse(time.TimeOnly+" stopped", line); err != nil {
		t.Errorf("line %q: %v", line, err)
	}
}
