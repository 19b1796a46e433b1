// Composecheck reads a Compose file as Docker would, without Docker, and checks that it
// has what odastream's deployment needs:
//
//	composecheck [-help SERVICE=FILE]... FILE
//
// A FILE after -help has the output of --help of the service's program. The service may
// then set only the variables in it. It prints one line for each fault and exits with
// status 1, and with 2 for a bad command line.
//
// It is a separate module, since the project does not have its dependencies.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	help := map[string]string{}
	flags := flag.NewFlagSet("composecheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Func("help", "`SERVICE=FILE` with the --help of the service's program", func(value string) error {
		service, file, ok := strings.Cut(value, "=")
		if !ok {
			return fmt.Errorf("want SERVICE=FILE")
		}
		help[service] = file
		return nil
	})
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: composecheck [-help SERVICE=FILE]... FILE")
		return 2
	}
	project, err := load(ctx, flags.Arg(0))
	if err != nil {
		fmt.Fprintf(stderr, "composecheck: %v\n", err)
		return 1
	}
	faults := check(project)
	for service, file := range help {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Fprintf(stderr, "composecheck: read help of %s: %v\n", service, err)
			return 1
		}
		faults = append(faults, unknownSettings(project, service, text)...)
	}
	for _, fault := range faults {
		fmt.Fprintln(stderr, fault)
	}
	if len(faults) > 0 {
		return 1
	}
	fmt.Fprintf(stdout, "%s: %d services, no faults\n", flags.Arg(0), len(project.Services))
	return 0
}

// load reads the file with all its profiles and an empty environment.
func load(ctx context.Context, file string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithProfiles([]string{"*"}),
		cli.WithInterpolation(true),
		cli.WithNormalization(true),
		cli.WithConsistency(true),
		cli.WithResolvedPaths(true))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return project, nil
}

// unknownSettings finds variables that the program does not read. A misspelt name would
// have no effect and cause no error.
func unknownSettings(project *types.Project, service string, help []byte) []string {
	known := map[string]bool{}
	for line := range bytes.Lines(help) {
		if name, _, ok := strings.Cut(string(line), " "); ok {
			known[name] = true
		}
	}
	s, ok := project.Services[service]
	if !ok {
		return []string{service + ": no such service"}
	}
	var faults []string
	for name := range s.Environment {
		if !known[name] {
			faults = append(faults, fmt.Sprintf("%s: its program has no setting %s", service, name))
		}
	}
	return faults
}
