package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The list must fit the code: a mutant whose text is gone breaks nothing.
func TestEachMutantBreaksItsFile(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		broken, err := m.broken("../..")
		if err != nil {
			t.Error(err)
			continue
		}
		real, err := os.ReadFile(filepath.Join("../..", m.file))
		if err != nil || slices.Equal(real, broken) {
			t.Errorf("mutant %q changes nothing in %s (%v)", m.rule, m.file, err)
		}
	}
}

func TestRulesHaveUniqueNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range mutants() {
		if seen[m.rule] {
			t.Errorf("two mutants are called %q", m.rule)
		}
		seen[m.rule] = true
	}
}

// double is a module with a rule, a test that checks it, and one that does not.
func double(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module m\n\ngo 1.26\n",
		"m.go":      "package m\n\nfunc Double(n int) int { return 2 * n }\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestKeeps(t *testing.T) {\n\tif Double(3) != 6 {\n\t\tt.Fail()\n\t}\n}\n\nfunc TestLooksAway(*testing.T) {}\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAMutantIsFoundOnlyByATestThatFails(t *testing.T) {
	t.Parallel()
	root := double(t)
	m := mutant{rule: "doubles", file: "m.go", old: "2 * n", new: "n", pkg: ".", tests: "."}
	if found, err := m.hunt(t.Context(), root); err != nil || !slices.Equal(found, []string{"TestKeeps"}) {
		t.Errorf("hunt = %v, %v, want TestKeeps alone", found, err)
	}
	m.tests = "TestLooksAway"
	if found, err := m.hunt(t.Context(), root); err != nil || len(found) > 0 {
		t.Errorf("hunt with a test that looks away = %v, %v, want nothing found", found, err)
	}
	m.new = "undefined"
	if _, err := m.hunt(t.Context(), root); err == nil || !strings.Contains(err.Error(), "without a test that failed") {
		t.Errorf("hunt of code that does not compile = %v, want an error", err)
	}
	m.old = "3 * n"
	if _, err := m.hunt(t.Context(), root); err == nil || !strings.Contains(err.Error(), "occurs 0 times") {
		t.Errorf("hunt of a missing text = %v, want an error", err)
	}
}

func TestATestThatHangsIsNamed(t *testing.T) {
	t.Parallel()
	out := "panic: test timed out after 5m0s\n\trunning tests:\n\t\tTestWaits (4m59s)\n\t\tTestOther/sub (3s)\n\ngoroutine 1:\n"
	if got := failed([]byte(out)); !slices.Equal(got, []string{"TestOther", "TestWaits"}) {
		t.Errorf("failed = %v, want the tests that ran", got)
	}
}

// One that survives or is no mutant hides no other.
func TestEachMutantIsTried(t *testing.T) {
	t.Parallel()
	root := double(t)
	all := []mutant{
		{rule: "no mutant", file: "m.go", old: "3 * n", new: "n", pkg: ".", tests: "."},
		{rule: "found", file: "m.go", old: "2 * n", new: "n", pkg: ".", tests: "."},
		{rule: "survivor", file: "m.go", old: "2 * n", new: "n", pkg: ".", tests: "TestLooksAway"},
	}
	var log strings.Builder
	err := try(t.Context(), root, all, 2, &log)
	if err == nil || !strings.Contains(err.Error(), "occurs 0 times") || !strings.Contains(err.Error(), `"survivor" survives`) || strings.Contains(err.Error(), `"found"`) {
		t.Errorf("try = %v, want the survivor and the one that is no mutant", err)
	}
	for _, want := range []string{"no mutant: ERROR", "found: found by TestKeeps", "survivor: SURVIVES", "3/3 "} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if !slices.Equal(all[1].found, []string{"TestKeeps"}) {
		t.Errorf("found by %v, want TestKeeps", all[1].found)
	}
}
