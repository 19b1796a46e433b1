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

// draws is how often the tests are run for a mutant. One that only some random histories
// show may be missed a few times.
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
