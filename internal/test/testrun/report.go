package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	slowestShown = 15                     // number of tests, and of packages
	slowestFrom  = 100 * time.Millisecond // a test that took less is not slow
	leftShown    = 4                      // number of packages named in the progress line
)

// progress returns which packages run, for how long, and what is left.
func (s *suite) progress() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var running, left []string
	for _, name := range s.left {
		p, runs := s.running[name]
		if !runs {
			left = append(left, short(name))
			continue
		}
		text := short(name) + " " + seconds(now.Sub(p.began))
		if t := p.oldest(); t != nil {
			text += " (" + t.name + " " + seconds(now.Sub(t.since)) + ")"
		}
		running = append(running, text)
	}
	return fmt.Sprintf("%d left: %s; then %s", len(s.left), cmp.Or(strings.Join(running, ", "), "linking"), some(left))
}

// oldest returns the test that has run the longest, nil if none runs.
func (p *pkg) oldest() (oldest *test) {
	for _, t := range p.tests {
		if !t.since.IsZero() && !t.parts && (oldest == nil || t.since.Before(oldest.since)) {
			oldest = t
		}
	}
	return oldest
}

// short returns an import path without the module's name.
func short(path string) string {
	_, rest, _ := strings.Cut(path, "/")
	return cmp.Or(rest, path)
}

// some returns the names of the first few and the number of the others.
func some(names []string) string {
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) <= leftShown+1:
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:leftShown], ", "), len(names)-leftShown)
}

func seconds(d time.Duration) string { return d.Round(time.Second).String() }

// report prints what was skipped, what was slow, and what failed.
func (s *suite) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportSlowest("slowest packages:", s.packages)
	s.reportSlowest("slowest tests:", s.tests)
	if len(s.skips) > 0 {
		s.print(fmt.Sprintf("SKIPPED, and therefore not tested: %d", len(s.skips)))
		for _, skip := range s.skips {
			s.print("  " + skip.name + ": " + skip.reason)
		}
	}
	if unrun := slices.Concat(s.unrun, s.left); len(unrun) > 0 {
		s.print("NOT RUN: " + strings.Join(unrun, ", "))
	}
	if len(s.failures) > 0 {
		s.print("FAILED:")
		for _, name := range s.failures {
			s.print("  " + name)
		}
	}
}

func (s *suite) reportSlowest(title string, all []timing) {
	all = slices.DeleteFunc(slices.Clone(all), func(one timing) bool { return one.took < slowestFrom })
	slices.SortStableFunc(all, func(a, b timing) int { return cmp.Compare(b.took, a.took) })
	if len(all) == 0 {
		return
	}
	s.print(title)
	for _, one := range all[:min(len(all), slowestShown)] {
		s.print(fmt.Sprintf("%8.1fs %s", one.took.Seconds(), one.name))
	}
}

// counts returns the last line.
func (s *suite) counts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d passed, %d failed, %d skipped", s.passed, s.failed, s.skipped)
}

// whole reports whether all packages have ended and none failed.
func (s *suite) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.left) == 0 && s.failed == 0
}
