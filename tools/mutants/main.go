// Mutants breaks one rule of the program at a time and shows that a test then fails. It
// never changes the tree: the go command's -overlay replaces the real file by the broken
// one.
//
// Invariant: a mutant counts as found only if a test failed. It is an error if a mutant
// does not compile, if its text is no longer in its file, or if every test passes. It
// knows nothing of what the rules mean.
//
// The exit status is 0 if every mutant was found, else 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	root := flag.String("root", "../..", "`directory` of the project")
	only := flag.String("only", "", "try those whose rule or file matches this `regexp`")
	workers := flag.Int("workers", 3, "how many are tried at once: most tests wait more than they work")
	out := flag.String("o", "", "write the table to this `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *only, *workers, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// draws is how often the tests are run for a mutant. One that only some random histories
// show may be missed a few times.
const draws = 3

func run(ctx context.Context, root, only string, workers int, out string, log io.Writer) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	chosen := slices.DeleteFunc(mutants(), func(m mutant) bool { return !pattern.MatchString(m.rule + " " + m.file) })
	failed := try(ctx, root, chosen, workers, log)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if out != "" {
		if err := os.WriteFile(out, table(chosen), 0o644); err != nil {
			return err
		}
	}
	return failed
}

// try breaks each rule, workers of them at once, and notes what found it. It says of each
// rule that no test keeps, or whose mutant is none, and goes on.
func try(ctx context.Context, root string, all []mutant, workers int, log io.Writer) error {
	var mu sync.Mutex
	var failed []error
	done := 0
	var running sync.WaitGroup
	places := make(chan struct{}, workers)
	for i := range all {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			began := time.Now()
			verdict, err := all[i].verdict(ctx, root)
			mu.Lock()
			defer mu.Unlock()
			done++
			if err != nil {
				failed = append(failed, err)
			}
			fmt.Fprintf(log, "%d/%d %s: %s (%s)\n", done, len(all), all[i].rule, verdict, time.Since(began).Round(time.Second))
		})
	}
	running.Wait()
	return errors.Join(failed...)
}

// verdict runs the tests on the broken program until one fails.
func (m *mutant) verdict(ctx context.Context, root string) (verdict string, err error) {
	for try := 0; try < draws && len(m.found) == 0 && ctx.Err() == nil; try++ {
		if m.found, err = m.hunt(ctx, root); err != nil {
			return "ERROR", err
		}
	}
	if len(m.found) == 0 {
		return "SURVIVES", fmt.Errorf("mutant %q survives: the rule is kept by no test", m.rule)
	}
	return "found by " + strings.Join(m.found, ", "), nil
}
