// Release builds every program of a tree for every platform, and packs the files for
// download: an archive and an SBOM for each platform, and SHA256SUMS.
//
//	release [-root DIR] -out DIR [GOOS/GOARCH]...
//	release [-root DIR] -check [-cold] [GOOS/GOARCH]...
//
// The same commit and the same Go version give the same bytes. -check tests this: it
// builds the last commit twice, from two clones at different paths, and compares the
// files. With -cold the second build compiles everything again, which takes minutes.
//
// It exits with status 1 for a fault, and with 2 for a bad command line.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// platforms are the platforms of a release.
func platforms() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("root", ".", "the tree")
	out := flags.String("out", "", "`directory` for the files; existing files are kept")
	check := flags.Bool("check", false, "build twice and compare")
	cold := flags.Bool("cold", false, "with -check: build again without a build cache")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	wanted := flags.Args()
	if len(wanted) == 0 {
		wanted = platforms()
	}
	targets, err := parseTargets(wanted)
	if err == nil && *check == (*out != "") {
		err = fmt.Errorf("give either -out or -check")
	}
	if err != nil {
		fmt.Fprintf(stderr, "release: %v\n", err)
		return 2
	}
	if *check {
		err = reproduce(ctx, *root, targets, *cold, stdout)
	} else {
		err = release(ctx, *root, *out, targets, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "release: %v\n", err)
		return 1
	}
	return 0
}

// target is one platform.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

func parseTargets(names []string) ([]target, error) {
	var targets []target
	for _, name := range names {
		system, arch, ok := strings.Cut(name, "/")
		if !ok {
			return nil, fmt.Errorf("platform is %q, want GOOS/GOARCH", name)
		}
		targets = append(targets, target{os: system, arch: arch})
	}
	return targets, nil
}
