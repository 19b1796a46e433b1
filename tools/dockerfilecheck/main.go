// Dockerfilecheck reads Dockerfiles as BuildKit would, without Docker and without the
// network. It prints what BuildKit's linter reports, and each COPY --from that names no
// stage:
//
//	dockerfilecheck FILE...
//
// It exits with status 1 if there is a fault, and with 2 for a command line without a
// file.
//
// It is a separate module, since the project does not have its dependencies.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/opencontainers/go-digest"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, files []string, stdout, stderr io.Writer) int {
	if len(files) == 0 {
		fmt.Fprintln(stderr, "usage: dockerfilecheck FILE...")
		return 2
	}
	status := 0
	for _, file := range files {
		faults, err := check(ctx, file)
		if err != nil {
			faults = append(faults, err.Error())
		}
		for _, fault := range faults {
			fmt.Fprintf(stderr, "%s: %s\n", file, fault)
			status = 1
		}
		if len(faults) == 0 {
			fmt.Fprintf(stdout, "%s: no faults\n", file)
		}
	}
	return status
}

func check(ctx context.Context, file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	source := llb.NewSourceMap(nil, file, "Dockerfile", text)
	source.Definition = &llb.Definition{} // the linter reads it
	results, err := dockerfile2llb.DockerfileLint(ctx, text, dockerfile2llb.ConvertOpt{
		SourceMap:    source,
		MetaResolver: unknownImages{},
	})
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	if results.Error != nil {
		return nil, fmt.Errorf("build: %s", results.Error.Message)
	}
	var faults []string
	for _, w := range results.Warnings {
		line := int32(0)
		if len(w.Location.GetRanges()) > 0 {
			line = w.Location.GetRanges()[0].GetStart().GetLine()
		}
		faults = append(faults, fmt.Sprintf("line %d: %s: %s", line, w.RuleName, w.Detail))
	}
	wrong, err := wrongSources(text)
	return append(faults, wrong...), err
}

// wrongSources finds what the linter does not. BuildKit takes an unknown name after COPY
// --from for an image, and the build fails only when it cannot pull it. So an image must
// name a version.
func wrongSources(text []byte) ([]string, error) {
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	var faults []string
	earlier := map[string]bool{}
	for i, stage := range stages {
		for _, command := range stage.Commands {
			c, ok := command.(*instructions.CopyCommand)
			if ok && c.From != "" && !earlier[strings.ToLower(c.From)] && !strings.Contains(c.From, ":") {
				faults = append(faults, fmt.Sprintf("line %d: COPY --from=%s names no earlier stage", c.Location()[0].Start.Line, c.From))
			}
		}
		earlier[strings.ToLower(stage.Name)], earlier[strconv.Itoa(i)] = true, true
	}
	return faults, nil
}

// unknownImages stands for the registry: every image exists, and has no metadata.
type unknownImages struct{}

func (unknownImages) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, "", []byte(`{"architecture":"amd64","os":"linux","config":{}}`), nil
}
