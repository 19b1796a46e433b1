// Testrun runs go test so that it passes on a small machine:
//
//	go run ./internal/test/testrun go -race -- ./...
//
// It compiles everything first, then runs the light packages side by side and the heavy
// ones one at a time. It shows which packages run, for how long, and what is left. It
// prints the whole output of a failed test, and nothing of a passed one. At the end it
// lists what was skipped, what was slow, and how late the machine served it. The last
// line has the form
//
//	12 passed, 0 failed, 3 skipped
//
// A subtest counts as a test. A test that still ran when its package ended counts as
// failed, and so does a package that failed without a failed test.
//
// Invariant: its exit status is 0 only if go test's was each time. It knows nothing of
// the tests' content.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"odastream/internal/test/machine"
)

const usage = `usage: testrun GO [TEST-FLAG...] -- PACKAGE... [TEST-FLAG...]
       testrun -machine

Runs the tests of PACKAGE with the go command GO: light packages side by side,
heavy ones one at a time. With -v it runs all one at a time and prints everything.
-machine prints the number of cores and how late they serve a process.
`

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run returns 0 if all tests passed, 2 for a bad command line, and else the status of the
// go command that failed.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if slices.Equal(args, []string{"-machine"}) {
		fmt.Fprintln(stdout, describeMachine(machine.Delay()))
		return 0
	}
	c, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "testrun: %v\n%s", err, usage)
		return 2
	}
	g := goCommand{path: c.tool, environ: environ}
	return newRunner(c, g, heavyPaths(), stdout, stderr).run(ctx)
}

func describeMachine(delay time.Duration) string {
	return fmt.Sprintf("machine: %d cores, delay %s", runtime.NumCPU(), delay.Round(10*time.Microsecond))
}

// command is a parsed command line.
type command struct {
	tool     string
	flags    []string // before the packages
	packages []string
	rest     []string // flags after the packages
	verbose  bool
}

func parse(args []string) (command, error) {
	dashes := slices.Index(args, "--")
	if dashes < 1 || strings.HasPrefix(args[0], "-") {
		return command{}, fmt.Errorf("want a go command, flags, -- and packages, have %q", args)
	}
	c := command{tool: args[0], flags: args[1:dashes], packages: args[dashes+1:]}
	if n := slices.IndexFunc(c.packages, func(arg string) bool { return strings.HasPrefix(arg, "-") }); n >= 0 {
		c.packages, c.rest = c.packages[:n], c.packages[n:]
	}
	if len(c.packages) == 0 {
		return command{}, fmt.Errorf("no packages in %q", args)
	}
	c.verbose = slices.ContainsFunc(slices.Concat(c.flags, c.rest), func(flag string) bool {
		return flag == "-v" || flag == "-v=true" || flag == "-test.v"
	})
	return c, nil
}
