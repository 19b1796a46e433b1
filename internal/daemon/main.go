package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"odastream/internal/settings"
)

// Main runs a program by its command line and environment and returns its exit status,
// which the caller passes to os.Exit. args do not include the program's name.
//
// The first SIGTERM or SIGINT, or the end of ctx, stops the program. It finishes its
// running work within 10 s, and the status is ExitDone. A second signal ends it at once
// with ExitKilled.
func Main(ctx context.Context, p Program, args, environ []string, stdout, stderr io.Writer) int {
	signals, release := notify()
	defer release()
	return run(ctx, p, args, environ, stdout, stderr, signals)
}

func run(ctx context.Context, p Program, args, environ []string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	flags, err := parseFlags(p, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return usage(p, stdout, stderr)
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n%s --help shows what there is\n", p.Name, err, p.Name)
		return ExitBadSettings
	case flags.version:
		fmt.Fprintln(stdout, p.Name, Version())
		return ExitDone
	}
	if err := settings.Parse(environ, p.Settings); err != nil {
		return badSettings(p, err, stderr)
	}
	secrets := settings.Secrets(p.Settings)
	log := NewLogger(*p.Log, stderr, secrets).With("program", p.Name)
	for _, w := range settings.Warnings(environ, p.Settings, p.Prefixes, p.Others) {
		log.Warn("unknown variable", "what", w)
	}
	r := runner{program: p, once: flags.once, secrets: secrets, log: log, stdout: stdout, stderr: stderr}
	return untilStopped(ctx, log, signals, r.run)
}

func badSettings(p Program, err error, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: bad settings:\n%v\n", p.Name, err)
	return ExitBadSettings
}

type flagValues struct{ once, version bool }

// parseFlags accepts flags only. An argument is an error, since a daemon is configured by
// its environment.
func parseFlags(p Program, args []string) (flagValues, error) {
	var v flagValues
	fs := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	if !p.NoOnce {
		fs.BoolVar(&v.once, "once", false, "")
	}
	fs.BoolVar(&v.version, "version", false, "")
	if err := fs.Parse(args); err != nil {
		return v, err
	}
	if fs.NArg() > 0 {
		return v, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return v, nil
}

const usageText = `%s

Usage: %s %s[--version] [--help]
%s  --version  print the version

Environment variables configure it:

`

const exitText = `
Exit status: 0 stopped or done, 1 fault, 2 bad settings, 130 ended by a second signal.
SIGTERM or SIGINT: finish what is in flight, at most 10 s; a second one ends at once.
`

func usage(p Program, stdout, stderr io.Writer) int {
	once, onceText := "[--once] ", "  --once     work up to the current end, then exit\n"
	if p.NoOnce {
		once, onceText = "", ""
	}
	fmt.Fprintf(stdout, usageText, strings.TrimSpace(p.About), p.Name, once, onceText)
	if err := settings.Usage(stdout, p.Settings); err != nil {
		fmt.Fprintf(stderr, "%s: print usage: %v\n", p.Name, err)
		return ExitFault
	}
	fmt.Fprint(stdout, exitText)
	return ExitDone
}

// Version returns the module's version, and the commit that it was built from if that is
// known.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			version += " " + s.Value
		}
	}
	return version + " " + info.GoVersion
}
