package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"odastream/internal/console"
	"odastream/internal/test/machine"
)

// timeout is the default bound for the tests of one package. It ends a test that hangs,
// and is long enough for tests that progress on a machine a tenth as fast as ours.
const timeout = "-timeout=60m"

// runner runs the tests of a command.
type runner struct {
	command
	tool  goCommand
	heavy []string
	line  *console.Progress
	suite *suite

	begun  time.Time
	delays delays
}

func newRunner(c command, tool goCommand, heavy []string, stdout, stderr io.Writer) *runner {
	line := console.NewProgress(stdout, slog.New(slog.NewTextHandler(stderr, nil)))
	return &runner{command: c, tool: tool, heavy: heavy, line: line, suite: newSuite(line.Println, c.verbose), begun: time.Now()}
}

// run compiles, runs the tests, reports, and returns the highest status of a go
// command.
func (r *runner) run(ctx context.Context) int {
	r.delays.first = machine.Delay()
	r.line.Println(describeMachine(r.delays.first))
	code := r.compileAndTest(ctx)
	r.suite.report()
	r.line.Println(r.delays.String())
	if ctx.Err() != nil {
		r.line.Println("INTERRUPTED")
	}
	if ctx.Err() != nil || !r.suite.whole() {
		code = max(code, 1)
	}
	r.line.Println(r.suite.counts())
	return code
}

func (r *runner) compileAndTest(ctx context.Context) (code int) {
	var packages []string
	err := r.during(func() string { return "compiling" }, func() (err error) {
		packages, err = r.tool.packages(ctx, r.flags, r.packages, r.line.Println)
		return err
	})
	r.line.Done("compiled in " + seconds(time.Since(r.begun)))
	if err != nil {
		r.suite.notCompiled()
		return status(err)
	}
	light, heavy := r.split(packages)
	r.suite.plan(slices.Concat(light, heavy)...)
	for _, batch := range []struct {
		name     string
		packages []string
		serial   bool
	}{{"light", light, r.verbose}, {"heavy", heavy, true}} {
		if len(batch.packages) == 0 || ctx.Err() != nil {
			continue
		}
		begun := time.Now()
		args := slices.Concat([]string{timeout}, r.flags, batch.packages, r.rest)
		if batch.serial {
			args = slices.Concat([]string{timeout}, r.flags, []string{"-p=1"}, batch.packages, r.rest)
		}
		err := r.during(r.suite.progress, func() error {
			return r.tool.test(ctx, args, r.suite.take, r.line.Println)
		})
		r.suite.abandon()
		r.line.Done(fmt.Sprintf("%d %s packages in %s", len(batch.packages), batch.name, seconds(time.Since(begun))))
		code = max(code, status(err))
	}
	return code
}

// split separates the heavy packages from the light ones, and puts the heavy ones in the
// order of the table.
func (r *runner) split(packages []string) (light, heavy []string) {
	for _, name := range r.heavy {
		if slices.Contains(packages, name) {
			heavy = append(heavy, name)
		}
	}
	light = slices.DeleteFunc(slices.Clone(packages), func(name string) bool { return slices.Contains(heavy, name) })
	return light, heavy
}

// during does work, and meanwhile prints the progress each second.
func (r *runner) during(far func() string, work func() error) error {
	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				at := far()
				r.delays.note(machine.Delay(), at)
				r.line.Set(seconds(time.Since(r.begun)) + ", " + at)
			}
		}
	})
	defer shown.Wait()
	defer close(done)
	return work()
}

// delays records how late the machine served us during a run.
type delays struct {
	first, highest time.Duration
	during         string // what ran when the delay was highest
}

func (d *delays) note(delay time.Duration, during string) {
	if delay > max(d.first, d.highest) {
		d.highest = delay
		d.during, _, _ = strings.Cut(during, "; then")
	}
}

func (d *delays) String() string {
	text := fmt.Sprintf("%s at the start", describeMachine(d.first))
	if d.highest > 0 {
		text += fmt.Sprintf(", at most %s (%s)", d.highest.Round(10*time.Microsecond), d.during)
	}
	return text + fmt.Sprintf("; one beat %s late", machine.Longest().Round(time.Millisecond))
}
