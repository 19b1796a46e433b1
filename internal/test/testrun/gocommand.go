package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// killAfter is how long a go command has after an interrupt.
const killAfter = 5 * time.Second

// goCommand is the go command, in a directory of a module.
type goCommand struct {
	path    string
	dir     string // "": where we are
	environ []string
}

// packages compiles the packages that patterns match, with their tests, and returns those
// that have tests. It links nothing: go test links each once. The go command's errors go
// to lines.
func (g goCommand) packages(ctx context.Context, flags, patterns []string, lines func(string)) ([]string, error) {
	flags = buildFlags(flags)
	args := slices.Concat([]string{"list", "-test", "-export", "-f", "{{.ImportPath}}"}, flags, patterns)
	var found []string
	err := g.each(ctx, args, func(line string) {
		if name, isTest := strings.CutSuffix(line, ".test"); isTest {
			found = append(found, name)
		}
	}, lines)
	if err != nil || len(flags) == 0 {
		return found, err
	}
	// A test that builds a program does so without the flags.
	return found, g.each(ctx, slices.Concat([]string{"list", "-export"}, patterns), func(string) {}, lines)
}

// test runs go test -json and passes on its events. Other output goes to lines.
func (g goCommand) test(ctx context.Context, args []string, events func(event), lines func(string)) error {
	return g.each(ctx, slices.Concat([]string{"test", "-json"}, args), func(line string) {
		var e event
		if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
			lines(line)
			return
		}
		events(e)
	}, lines)
}

// each runs the go command and passes on each line that it prints. The end of ctx
// interrupts it and all that it started.
func (g goCommand) each(ctx context.Context, args []string, out, errs func(string)) error {
	cmd := exec.CommandContext(ctx, g.path, args...)
	stdout, stderr := &lineWriter{take: out}, &lineWriter{take: errs}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = g.dir, g.environ, stdout, stderr
	// go test does not pass an interrupt on to its tests, so we send it to their group. A
	// signal to our group, such as Ctrl-C, does not reach theirs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = killAfter
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // those that ignored the interrupt
	}
	stdout.end()
	stderr.end()
	if err != nil {
		return fmt.Errorf("run %s %s: %w", g.path, args[0], err)
	}
	return nil
}

// lineWriter passes on each line that is written, without the newline.
type lineWriter struct {
	take func(string)
	rest []byte // of a line that has not ended
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ended := bytes.Cut(w.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		w.take(string(line))
		w.rest = rest
	}
}

// end passes on a last line that has no newline.
func (w *lineWriter) end() {
	if len(w.rest) > 0 {
		w.take(string(w.rest))
		w.rest = nil
	}
}

// status returns the exit status of a go command, 1 if it had none.
func status(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	return 1
}

// buildFlags are the flags of go test that decide how a package is compiled. A flag that
// is missing here only costs time: go test compiles again.
func buildFlags(flags []string) (found []string) {
	for i, flag := range flags {
		name, _, hasValue := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		switch name {
		case "race", "msan", "asan", "trimpath":
			found = append(found, flag)
		case "tags", "gcflags", "ldflags", "mod", "modfile", "overlay":
			found = append(found, flag)
			if !hasValue && i+1 < len(flags) {
				found = append(found, flags[i+1])
			}
		}
	}
	return found
}
