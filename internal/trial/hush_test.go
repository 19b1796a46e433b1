package trial

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/console"
)

func TestWarningsEndWithTheStopAndErrorsDoNot(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	var shown []string
	people := console.NewHandler(func(line string) { shown = append(shown, line[len("15:04:05 "):]) }, slog.LevelWarn)
	log := slog.New(slog.NewMultiHandler(hush{people, stop})).With("entity", "Sag").WithGroup("g")
	log.Info("detail")
	log.Warn("before")
	close(stop)
	log.Warn("after")
	log.Error("broken", "n", 1)
	want := []string{"warning: before (entity Sag)", "ERROR: broken (entity Sag, g.n 1)"}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}
