package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// suite is the state after the events so far. It is safe for concurrent use.
type suite struct {
	print   func(string) // a line
	verbose bool
	now     func() time.Time

	mu      sync.Mutex
	left    []string // packages that have not ended, in the order of the plan
	running map[string]*pkg
	live    lineWriter // output that is printed at once

	passed, failed, skipped int
	failures                []string // what failed, by name
	unrun                   []string // tests that were paused when their package ended
	skips                   []skip
	tests, packages         []timing
}

// skip is a test that was skipped.
type skip struct{ name, reason string }

// timing is how long a test or a package took.
type timing struct {
	name string
	took time.Duration
}

// pkg is a package whose tests run.
type pkg struct {
	name     string
	began    time.Time
	output   strings.Builder // output that belongs to no test
	tests    []*test         // in the order in which they began
	byName   map[string]*test
	failures int
}

// test is a test or a subtest of a package that runs.
type test struct {
	name    string
	said    strings.Builder
	since   time.Time     // when it last continued; zero while it is paused and once it has ended
	ended   string        // pass, fail or skip; "" as long as it has not
	slowest time.Duration // of its subtests
	shown   bool          // for a subtest that failed, and is listed itself
	parts   bool          // it has subtests, and may only wait for them
	waits   bool          // its subtests are parallel, so its time includes that of others
}

func newSuite(print func(string), verbose bool) *suite {
	return &suite{print: print, verbose: verbose, now: time.Now, running: map[string]*pkg{}, live: lineWriter{take: print}}
}

// plan sets which packages will run.
func (s *suite) plan(packages ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = packages
}

// take processes an event.
func (s *suite) take(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Output != "" && (s.verbose || e.Package == "") {
		_, _ = s.live.Write([]byte(e.Output))
	}
	if e.Package == "" {
		return // the output of a compiler
	}
	p := s.pkg(e.Package)
	switch {
	case e.Test != "":
		s.takeTest(p, e)
	case e.Action == "output":
		p.output.WriteString(e.Output)
	case e.ends():
		s.endPackage(p, e)
	}
}

func (s *suite) pkg(name string) *pkg {
	p, known := s.running[name]
	if !known {
		p = &pkg{name: name, began: s.now(), byName: map[string]*test{}}
		s.running[name] = p
	}
	return p
}

func (p *pkg) test(name string) *test {
	t, known := p.byName[name]
	if !known {
		t = &test{name: name}
		p.byName[name] = t
		p.tests = append(p.tests, t)
		if above := parent(name); above != "" {
			p.test(above).parts = true
		}
	}
	return t
}

func (s *suite) takeTest(p *pkg, e event) {
	t := p.test(e.Test)
	switch {
	case e.Action == "run" || e.Action == "cont":
		t.since = s.now()
	case e.Action == "pause":
		t.since = time.Time{}
		if above := parent(t.name); above != "" {
			p.test(above).waits = true
		}
	case e.Action == "output" && t.ended != "":
		// A panic or the report of a data race may come at any time.
		p.output.WriteString(e.Output)
	case e.Action == "output":
		t.said.WriteString(e.Output)
	case e.ends():
		s.endTest(p, t, e)
	}
}

func (s *suite) endTest(p *pkg, t *test, e event) {
	t.ended, t.since = e.Action, time.Time{}
	var above *test // nil: t is no subtest
	if name := parent(t.name); name != "" {
		above = p.test(name)
		above.slowest = max(above.slowest, e.took())
	}
	// The time of a single subtest counts as the subtest's.
	if e.took() > 2*t.slowest && !t.waits {
		s.tests = append(s.tests, timing{p.name + " " + t.name, e.took()})
	}
	switch t.ended {
	case "pass":
		s.passed++
		if hasRaceOrPanic(t.said.String()) {
			p.output.WriteString(t.said.String())
		}
	case "skip":
		s.skipped++
		s.skips = append(s.skips, skip{p.name + " " + t.name, reason(t.said.String())})
	case "fail":
		s.fail(p, t, "")
		if above != nil {
			above.shown = true
		}
	}
	if t.name == root(t.name) && t.ended == "fail" {
		s.show(p, t.name)
	}
	if t.ended != "fail" {
		t.said.Reset()
	}
}

// fail counts a failed test and records its name.
func (s *suite) fail(p *pkg, t *test, how string) {
	s.failed++
	p.failures++
	if !t.shown {
		s.failures = append(s.failures, p.name+" "+t.name+how)
	}
}

// show prints the output of a failed test with that of its failed subtests.
func (s *suite) show(p *pkg, name string) {
	var lines []string
	for _, t := range p.tests {
		if root(t.name) == name && (t.ended == "fail" || t.ended == "") {
			lines = append(lines, outputLines(t.said.String())...)
		}
	}
	if s.verbose || len(lines) == 0 {
		return
	}
	s.print("FAIL: " + p.name + " " + name)
	s.printAll(lines)
}

func (s *suite) printAll(lines []string) {
	for _, line := range lines {
		s.print(line)
	}
}

// endPackage processes the end of a package. If it failed, it shows the tests that did
// not end, and the output that belongs to no test: a panic, an exit, a build.
func (s *suite) endPackage(p *pkg, e event) {
	delete(s.running, p.name)
	s.left = slices.DeleteFunc(s.left, func(name string) bool { return name == p.name })
	lines := outputLines(p.output.String())
	verdict := fmt.Sprintf("%s\t%s\t%.3fs", e.Action, p.name, e.Elapsed)
	if n := slices.IndexFunc(lines, isVerdict); n >= 0 {
		verdict = lines[n]
		lines = slices.Delete(lines, n, n+1)
	}
	if e.Action == "fail" {
		s.unended(p)
		if p.failures == 0 {
			s.failed++
			s.failures = append(s.failures, p.name)
		}
	}
	if !s.verbose {
		if e.Action == "fail" {
			s.printAll(lines)
		}
		s.print(verdict)
	}
	if !strings.HasSuffix(verdict, "(cached)") {
		s.packages = append(s.packages, timing{p.name, e.took()})
	}
}

// isVerdict reports whether a line is go test's result of a package.
func isVerdict(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t")
}

// outputLines returns the lines of text without those that only say that a test or package
// runs.
func outputLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "=== ") && line != "PASS" && line != "FAIL" {
			lines = append(lines, line)
		}
	}
	return lines
}

// unended fails the tests that had not ended when their package did. A paused test has
// not failed: it waited for its turn.
func (s *suite) unended(p *pkg) {
	paused := 0
	for _, t := range slices.Backward(p.tests) { // subtests first
		switch {
		case t.ended == "" && t.since.IsZero():
			paused++
		case t.ended == "":
			s.fail(p, t, " (did not end)")
			if above := parent(t.name); above != "" {
				p.test(above).shown = true
			}
		}
	}
	if paused > 0 {
		s.unrun = append(s.unrun, fmt.Sprintf("%d tests of %s", paused, p.name))
	}
	for _, t := range p.tests {
		if t.ended == "" && t.name == root(t.name) {
			s.show(p, t.name)
		}
	}
}

// abandon fails the packages for which go test reported no end.
func (s *suite) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.end()
	for _, p := range s.running {
		s.endPackage(p, event{Action: "fail", Elapsed: s.now().Sub(p.began).Seconds()})
	}
}

// notCompiled counts a failed compilation, after which no test runs.
func (s *suite) notCompiled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	s.failures = append(s.failures, "compile")
}

// hasRaceOrPanic reports whether the output of a passed test shows something that made another
// fail.
func hasRaceOrPanic(output string) bool {
	return strings.Contains(output, "WARNING: DATA RACE") || strings.Contains(output, "panic: ")
}

// reason returns why a test was skipped, from its output.
func reason(output string) string {
	var parts []string
	for _, line := range outputLines(output) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "--- ") {
			parts = append(parts, line)
		}
	}
	return cmp.Or(strings.Join(parts, " "), "no reason given")
}
