package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestHeavyPackagesRunAloneAndLast(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	light := logged(log) + `func Test(t *testing.T) { say("light"); for logged("light") < 2 { <-time.After(time.Millisecond) } }`
	// A heavy package waits for a while for another one that runs at the same time.
	heavy := logged(log) + `func Test(t *testing.T) {
		say("begin")
		for end := time.Now().Add(300*time.Millisecond); time.Now().Before(end) && logged("begin") == logged("end") + 1; { <-time.After(time.Millisecond) }
		say("end")
	}`
	r, out := module(t, map[string]string{"a": heavy, "b": light, "c": heavy, "d": light, "e": heavy}, "-p=3")
	r.heavy = []string{"m/e", "m/a", "m/c"}
	if got := r.run(t.Context()); got != 0 {
		t.Fatalf("run = %d, want 0\n%s", got, out)
	}
	shown, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(shown), "light\nlight\nbegin\nend\nbegin\nend\nbegin\nend\n"; got != want {
		t.Errorf("packages began and ended as %q, want %q", got, want)
	}
	if e, a := strings.Index(out.String(), "ok  \tm/e"), strings.Index(out.String(), "ok  \tm/a"); e < 0 || a < e {
		t.Errorf("heavy packages did not run in the order of their table:\n%s", out)
	}
}

// logged is the head of a test file that writes words to a file and counts them.
func logged(path string) string {
	return `import ("os"; "strings"; "testing"; "time")
	func say(word string) {
		f, err := os.OpenFile("` + path + `", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil { panic(err) }
		defer f.Close()
		f.WriteString(word + "\n")
	}
	func logged(word string) int {
		said, _ := os.ReadFile("` + path + `")
		return strings.Count(string(said), word)
	}
	`
}

func TestOnlyFailedTestsAreShown(t *testing.T) {
	t.Parallel()
	r, out := module(t, map[string]string{
		"fails": `import "testing"
			func TestPasses(t *testing.T) { t.Log("all is well") }
			func TestFails(t *testing.T) {
				t.Log("at first")
				t.Run("good", func(t *testing.T) { t.Log("good news") })
				t.Run("bad", func(t *testing.T) { t.Error("bad news") })
			}
			func TestSkips(t *testing.T) { t.Skip("NO MOON tonight") }`,
		"panics": `import "testing"
			func TestPanics(t *testing.T) { t.Log("before the panic"); panic("no way out") }
			func TestNever(t *testing.T) {}`,
		"exits": `import ("fmt"; "os"; "testing")
			func TestMain(m *testing.M) { m.Run(); fmt.Println("not like this"); os.Exit(3) }
			func TestPasses(t *testing.T) {}`,
		"none": "",
	})
	if got := r.run(t.Context()); got != 1 {
		t.Errorf("run = %d, want 1", got)
	}
	for _, want := range []string{
		"\nFAIL: m/fails TestFails\n", "    x_test.go:5: at first\n", "bad news",
		"before the panic", "panic: no way out", "\nFAIL\tm/panics",
		"\nnot like this\n", "\nFAIL\tm/exits",
		"\n  m/fails TestSkips: x_test.go:9: NO MOON tonight\n",
		"\nFAILED:\n", "\n  m/fails TestFails/bad\n", "\n  m/panics TestPanics\n", "\n  m/exits\n",
		"\nmachine: ", " at the start",
		// Passed: TestPasses twice and TestFails/good. Failed: TestFails, TestFails/bad,
		// TestPanics and the package that exits.
		"\n3 passed, 4 failed, 1 skipped\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not printed: %q", want)
		}
	}
	for _, not := range []string{"all is well", "good news", "=== RUN", "m/none"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("printed: %q", not)
		}
	}
	if !strings.HasSuffix(out.String(), " skipped\n") {
		t.Error("the counts are not the last line")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestAHangingTestIsNamed(t *testing.T) {
	t.Parallel()
	r, out := module(t, map[string]string{
		"hangs": `import "testing"; func TestWaits(t *testing.T) { t.Parallel() }; func TestHangs(t *testing.T) { t.Log("before the end"); select {} }`,
	}, "-timeout=2s")
	if got := r.run(t.Context()); got != 1 {
		t.Errorf("run = %d, want 1", got)
	}
	for _, want := range []string{
		"\nFAIL: m/hangs TestHangs\n", "before the end", "panic: test timed out after 2s", "\nFAIL\tm/hangs",
		"\n  m/hangs TestHangs (did not end)\n", "\nNOT RUN: 1 tests of m/hangs\n", "\nslowest packages:\n", " m/hangs\n", "\n0 passed, 1 failed, 0 skipped\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not printed: %q\n%s", want, out)
		}
	}
}

func TestNothingRunsIfAPackageDoesNotCompile(t *testing.T) {
	t.Parallel()
	r, out := module(t, map[string]string{
		"a": `import "testing"; func Test(t *testing.T) { print("ran") }`,
		"b": `var x int = ""`,
	})
	if got := r.run(t.Context()); got != 1 {
		t.Errorf("run = %d, want 1", got)
	}
	if !strings.Contains(out.String(), "cannot use") || strings.Contains(out.String(), "ran") || !strings.HasSuffix(out.String(), "\n0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("want the compiler's error, no test, and one failure; got:\n%s", out)
	}
}

func TestInterruptReachesTheTests(t *testing.T) {
	t.Parallel()
	r, out := module(t, map[string]string{
		"a": `import "testing"; func TestHangs(t *testing.T) { println("ready"); select {} }`,
		"b": `import "testing"; func Test(t *testing.T) {}`,
	}, "-v")
	ctx, cancel := context.WithCancel(t.Context())
	out.sees("ready", cancel)
	if got := r.run(ctx); got != 1 {
		t.Errorf("run = %d, want 1", got)
	}
	for _, want := range []string{"signal: interrupt", "\n  m/a TestHangs (did not end)\n", "\nNOT RUN: m/b\n", "\nINTERRUPTED\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not printed: %q\n%s", want, out)
		}
	}
}

func TestVerbosePrintsAllOutputAtOnce(t *testing.T) {
	t.Parallel()
	r, out := module(t, map[string]string{"a": `import "testing"; func Test(t *testing.T) { t.Log("all is well") }`}, "-v")
	if got := r.run(t.Context()); got != 0 {
		t.Errorf("run = %d, want 0", got)
	}
	if got, want := out.String(), "=== RUN   Test\n    x_test.go:2: all is well\n--- PASS: Test (0.00s)\nPASS\nok  \tm/a\t"; !strings.Contains(got, want) {
		t.Errorf("printed %q, want %q in it", got, want)
	}
}

// TestStatus runs a fake go command that does as it is told.
func TestStatus(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		script string
		args   []string
		want   int
	}{
		"go test's":                      {`[ $1 = list ] && echo m/a.test || exit 7`, nil, 7},
		"go list's":                      {`exit 5`, nil, 5},
		"success":                        {`[ $1 = list ] && echo m/a.test || echo '{"Action":"pass","Package":"m/a"}'`, nil, 0},
		"a package that never ran: 1":    {`[ $1 = list ] && echo m/a.test || exit 0`, nil, 1},
		"a package that did not end: 1":  {`[ $1 = list ] && echo m/a.test || echo '{"Action":"start","Package":"m/a"}'`, nil, 1},
		"no package with tests: success": {`echo m/a`, nil, 0},
		"no packages: 2":                 {"", []string{"go", "-race", "--"}, 2},
		"no dashes: 2":                   {"", []string{"go", "-race", "./..."}, 2},
		"no go command: 2":               {"", []string{"--", "./..."}, 2},
		"a go command not there: 1":      {"", []string{"/no/such/go", "--", "./..."}, 1},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			args := c.args
			if args == nil {
				path := filepath.Join(t.TempDir(), "go")
				if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil { //nolint:gosec // a program
					t.Fatal(err)
				}
				args = []string{path, "--", "./..."}
			}
			var out screen
			if got := run(t.Context(), args, os.Environ(), &out, &out); got != c.want {
				t.Errorf("run(%q) = %d, want %d\n%s", args, got, c.want, &out)
			}
		})
	}
}

func TestFlagsMayPrecedeAndFollowThePackages(t *testing.T) {
	t.Parallel()
	got, err := parse([]string{"go", "-race", "-run", "X", "--", "./a", "./b", "-rapid.checks=5", "-v"})
	if err != nil {
		t.Fatal(err)
	}
	if got.tool != "go" || !slices.Equal(got.flags, []string{"-race", "-run", "X"}) || !slices.Equal(got.packages, []string{"./a", "./b"}) ||
		!slices.Equal(got.rest, []string{"-rapid.checks=5", "-v"}) || !got.verbose {
		t.Errorf("parse = %+v", got)
	}
	flags := []string{"-race", "-run", "X", "-tags", "y", "-count=1", "--mod=mod"}
	if got, want := buildFlags(flags), []string{"-race", "-tags", "y", "--mod=mod"}; !slices.Equal(got, want) {
		t.Errorf("buildFlags(%q) = %q, want %q", flags, got, want)
	}
}

func TestHeavyPackagesExist(t *testing.T) {
	t.Parallel()
	for _, one := range heavy {
		dir, ours := strings.CutPrefix(one.path, "odastream/")
		if tests, _ := filepath.Glob(filepath.Join("../../..", dir, "*_test.go")); !ours || len(tests) == 0 || one.why == "" {
			t.Errorf("heavy package %s (%q) has %d test files", one.path, one.why, len(tests))
		}
	}
}

// module makes a module named m, whose packages have one test file each, and returns a
// runner of its tests and the runner's output. No package is heavy.
func module(t *testing.T, packages map[string]string, flags ...string) (*runner, *screen) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"go.mod": "module m\n\ngo 1.26\n"}
	for name, test := range packages {
		files[name+"/x.go"] = "package " + name + "\n"
		if test != "" {
			files[name+"/x_test.go"] = "package " + name + "\n" + test + "\n"
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// After a test is killed, nothing interrupts the tests that it runs.
	c, err := parse(slices.Concat([]string{"go", "-timeout=2m"}, flags, []string{"--", "./..."}))
	if err != nil {
		t.Fatal(err)
	}
	var out screen
	g := goCommand{path: "go", dir: dir, environ: append(os.Environ(), "GOFLAGS=-vet=off", "GOWORK=off")}
	return newRunner(c, g, nil, &out, &screen{}), &out
}

// screen is the printed output. It is safe for concurrent use.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	word string
	then func() // called once word is printed
}

func (s *screen) sees(word string, then func()) { s.word, s.then = word, then }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.then != nil && strings.Contains(s.text.String(), s.word) {
		s.then()
		s.then = nil
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
