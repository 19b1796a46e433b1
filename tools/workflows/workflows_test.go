// Package workflows tests the forge's workflow files without the forge. They must be
// YAML, grant no more permissions than they need, and call only what the tree has.
//
// It is a separate module, since the project does not have its dependencies.
package workflows

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type workflow struct {
	On          any
	Permissions map[string]string
	Jobs        map[string]job
}

type job struct {
	Permissions map[string]string
	Timeout     int `yaml:"timeout-minutes"`
	Steps       []step
}

type step struct{ Uses, Run string }

// TestWorkflows checks every file, so that the rules apply to new ones too.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../.github/workflows/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			w := read(t, path)
			if w.On == nil || len(w.Jobs) == 0 {
				t.Error("it never runs, or has no job")
			}
			if write := granted(w.Permissions); w.Permissions == nil || len(write) > 0 {
				t.Errorf("permissions of all jobs = %v, want them set, and none to write", w.Permissions)
			}
			for name, j := range w.Jobs {
				if j.Timeout == 0 {
					t.Errorf("job %s has no timeout", name)
				}
				for _, s := range j.Steps {
					if s.Uses != "" && !regexp.MustCompile(`^actions/[a-z-]+@v[0-9]+$`).MatchString(s.Uses) {
						t.Errorf("job %s uses %q, want a standard action of a major version", name, s.Uses)
					}
				}
			}
		})
	}
}

func TestTheCIJobRunsTheScriptOfDevelopers(t *testing.T) {
	t.Parallel()
	j := read(t, "../../.github/workflows/ci.yml").Jobs["ci"]
	if !slices.ContainsFunc(j.Steps, func(s step) bool { return s.Run == ".ci/run" }) {
		t.Errorf("steps = %+v, want one that runs .ci/run", j.Steps)
	}
	if info, err := os.Stat("../../.ci/run"); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf(".ci/run cannot be run: %v", err)
	}
	if write := granted(j.Permissions); len(write) > 0 {
		t.Errorf("the job may write %q, want nothing", write)
	}
}

func TestTheReleaseJobRunsMakeRelease(t *testing.T) {
	t.Parallel()
	j := read(t, "../../.github/workflows/release.yml").Jobs["release"]
	if !slices.ContainsFunc(j.Steps, func(s step) bool { return s.Run == "make release" }) {
		t.Errorf("steps = %+v, want one that runs make release", j.Steps)
	}
	if write := granted(j.Permissions); !slices.Equal(write, []string{"contents"}) {
		t.Errorf("the job may write %q, want the contents alone", write)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil || !strings.Contains(string(makefile), "\nrelease: ") {
		t.Errorf("the Makefile has no target release: %v", err)
	}
}

func read(t *testing.T, path string) (w workflow) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return w
}

// granted returns the permissions to write.
func granted(permissions map[string]string) (names []string) {
	for name, access := range permissions {
		if access != "read" && access != "none" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
