// Mutants breaks one rule of the program at a time and shows that a test then
// fails. It never changes the tree: the broken file is laid over the real one with
// the go command's -overlay.
//
// The one thing that it keeps: a mutant counts as found only if a test failed. One
// that does not compile, whose text is no longer in its file, or that every test
// survives, is an error. It knows nothing of what the rules mean.
//
// The exit status is 0 if every mutant was found, else 1.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	root := flag.String("root", "../..", "`directory` of the project")
	only := flag.String("only", "", "try those whose rule or file matches this `regexp`")
	out := flag.String("o", "", "write the table to this `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *only, *out, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// draws is how often a mutant is hunted: one that shows in some random histories
// only may be missed by a few of them.
const draws = 3

func run(ctx context.Context, root, only, out string, log io.Writer) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	chosen := slices.DeleteFunc(mutants(), func(m mutant) bool { return !pattern.MatchString(m.rule + " " + m.file) })
	survivors := 0
	for i, m := range chosen {
		began := time.Now()
		for try := 0; try < draws && len(chosen[i].found) == 0; try++ {
			if chosen[i].found, err = m.hunt(ctx, root); err != nil {
				return err
			}
		}
		verdict := "found by " + strings.Join(chosen[i].found, ", ")
		if len(chosen[i].found) == 0 {
			verdict = "SURVIVES"
			survivors++
		}
		fmt.Fprintf(log, "%d/%d %s: %s (%s)\n", i+1, len(chosen), m.rule, verdict, time.Since(began).Round(time.Second))
	}
	if out != "" {
		if err := os.WriteFile(out, table(chosen), 0o644); err != nil {
			return err
		}
	}
	if survivors > 0 {
		return fmt.Errorf("%d of %d mutants survive: a rule is kept by no test", survivors, len(chosen))
	}
	return nil
}
