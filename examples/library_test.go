// Package examples tests the use of odastream as a library that README.md shows.
//
// Invariant: what is built and run is README's own text.
package examples

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/examples/internal/newsroom"
	"odastream/schema"
)

// TestREADMEsProgramBuildsInAnotherModule runs README's commands in a new module beside
// this tree, builds README's program there, reads a topic with it, and runs README's
// test. The program is taken from README.md itself.
func TestREADMEsProgramBuildsInAnotherModule(t *testing.T) {
	t.Parallel()
	m := newModule(t, section(t, "## Use it as a Go library"))
	m.run(t, "go", "build", "-o", "newsroom.exe", ".")
	m.run(t, "go", "test", ".")

	n := newsroom.Open(t, "Sag")
	n.Publish(t,
		newsroom.Change("Sag", 1, 1, schema.Create, `{"id":1,"titel":"Om brød"}`),
		newsroom.Change("Sag", 1, 2, schema.Delete, ""),
		newsroom.Change("Sag", 2, 3, schema.Snapshot, `{"id":2,"titel":"Om smør"}`),
	)
	want := []string{`Sag:1 {"id":1,"titel":"Om brød"}`, `Sag:2 {"id":2,"titel":"Om smør"}`}
	if diff := cmp.Diff(want, m.firstLines(t, len(want), n.Brokers)); diff != "" {
		t.Errorf("README's program printed (-want +got):\n%s", diff)
	}
}

// blocks returns the fenced blocks of a part of README.md.
type blocks struct{ commands, program, test string }

func section(t *testing.T, heading string) blocks {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), heading+"\n")
	if !found {
		t.Fatalf("README.md has no %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	fenced := regexp.MustCompile("(?s)```(sh|go)\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(fenced) != 3 {
		t.Fatalf("%q has %d fenced blocks, want commands, a program and its test", heading, len(fenced))
	}
	return blocks{commands: fenced[0][2], program: fenced[1][2], test: fenced[2][2]}
}

// module is a Go module other than this one.
type module struct{ dir string }

// newModule makes a module of the blocks, beside this tree under the name that README
// uses. Nothing is fetched: the modules that this tree needs are in the module cache, and
// the checksums are copied from this tree.
func newModule(t *testing.T, b blocks) module {
	t.Helper()
	parent := t.TempDir()
	tree, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	m := module{dir: filepath.Join(parent, "newsroom")}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod": "module newsroom\n\ngo 1.26.0\n", "go.sum": string(sums), "main.go": b.program, "main_test.go": b.test,
	} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(tree, filepath.Join(parent, "odastream")); err != nil {
		t.Fatal(err)
	}
	m.run(t, "sh", "-e", "-c", b.commands)
	return m
}

func (m module) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	return cmd
}

func (m module) run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := m.command(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// firstLines runs the program until it has printed n lines, and returns them.
func (m module) firstLines(t *testing.T, n int, args []string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := m.command(ctx, filepath.Join(m.dir, "newsroom.exe"), args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for scanner := bufio.NewScanner(stdout); len(lines) < n && scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	cancel() // the program does not end by itself
	_ = cmd.Wait()
	return lines
}
