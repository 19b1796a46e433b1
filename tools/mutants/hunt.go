package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mutant is one rule and a way to break it.
type mutant struct {
	invariant int    // of docs/architecture.md; 0: another rule
	rule      string // the rule
	file      string // slash-separated, from the project's root
	old       string // the code that keeps the rule; occurs once in file
	new       string // its replacement
	pkg       string // whose tests must find it
	tests     string // regexp of their names
	flags     []string
	env       []string // added to the process's own

	found []string // tests that failed
}

// broken returns the file with the rule broken.
func (m mutant) broken(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return nil, fmt.Errorf("mutant %q: its text occurs %d times in %s, want once: the code has changed, update the list", m.rule, n, m.file)
	}
	return []byte(strings.Replace(string(text), m.old, m.new, 1)), nil
}

// hunt runs the tests on the broken program and returns those that failed.
func (m mutant) hunt(ctx context.Context, root string) (found []string, err error) {
	broken, err := m.broken(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	overlay, err := writeOverlay(dir, filepath.Join(root, filepath.FromSlash(m.file)), broken)
	if err != nil {
		return nil, err
	}
	args := append([]string{"test", "-count=1", "-short", "-timeout=5m", "-overlay", overlay, "-run", m.tests, m.pkg}, m.flags...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), m.env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &exit) || ctx.Err() != nil:
		return nil, fmt.Errorf("mutant %q: %w", m.rule, err)
	}
	if found = failed(out); len(found) == 0 {
		return nil, fmt.Errorf("mutant %q: go test ended without a test that failed:\n%s", m.rule, out)
	}
	return found, nil
}

// writeOverlay writes the broken file, and the overlay that replaces the real one by it.
func writeOverlay(dir, file string, broken []byte) (overlay string, err error) {
	instead := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(instead, broken, 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {file: instead}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// failure is the line of a test that failed, or of one that ran when the time was over.
var failure = regexp.MustCompile(`(?m)^(?:--- FAIL: |\t\t)(Test[^\s/]+)`)

// failed returns the tests that failed, each once, from go test's output. If a program
// hangs or dies, the panic names its test.
func failed(out []byte) (names []string) {
	for _, m := range failure.FindAllSubmatch(out, -1) {
		names = append(names, string(m[1]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
