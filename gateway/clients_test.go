package gateway_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"odastream/gateway"
	"odastream/internal/test/fetched"
)

// scripts are the scripts of docs/clients.md that can be run: heading, language and code.
var scripts = regexp.MustCompile("(?ms)^## ([^\n]*)\n(?:[^\n#][^\n]*\n|\n)*?```(python|js|sh)\n(.*?)```")

// The scripts that the document shows read everything, as they stand there, with the
// libraries that they name.
func TestTheScriptsOfTheDocumentWork(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.URL = "" })
	text, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	members, votes := r.sim.Len("Stemme"), r.sim.Len("Afstemning")
	want := map[string]string{
		"Python":                          fmt.Sprintf("%d of %d with their Afstemning\n", members, members),
		"Python with dlt":                 fmt.Sprintf("%d votes\n", votes),
		"Python with DuckDB":              fmt.Sprintf("%d of %d\n", members, members),
		"Python with the metadata":        "50 sets; all members\n",
		"JavaScript":                      fmt.Sprintf("%d votes of members\n", members),
		"JavaScript with a query builder": fmt.Sprintf("%d votes, %d of members\n", votes, members),
		"A shell":                         fmt.Sprint(members),
	}
	for _, script := range scripts.FindAllStringSubmatch(string(text), -1) {
		heading, language, code := script[1], script[2], strings.ReplaceAll(script[3], "http://127.0.0.1:8090", r.url)
		expected := want[heading]
		delete(want, heading)
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			cmd := interpreter(t, language)
			cmd.Stdin = strings.NewReader(code)
			var logs strings.Builder
			cmd.Stderr = &logs
			out, err := cmd.Output()
			if err != nil || string(out) != expected {
				t.Errorf("%v\n%s%s\nwant %s", err, out, logs.String(), expected)
			}
		})
	}
	for heading := range want {
		t.Errorf("docs/clients.md has no script under %q", heading)
	}
}

// interpreter returns a command that reads a script from its standard input.
func interpreter(t *testing.T, language string) *exec.Cmd {
	t.Helper()
	ctx, in := t.Context(), t.TempDir()
	var cmd *exec.Cmd
	var err error
	switch language {
	case "python":
		var python string
		python, err = libraries(ctx, "requirements.txt", "python3 -m venv . && bin/python -m pip install --quiet -r requirements.txt")
		cmd = exec.CommandContext(ctx, filepath.Join(python, "bin", "python"), "-")
	case "js":
		var js string
		js, err = libraries(ctx, "package.json", "npm install --silent --no-package-lock --no-audit --no-fund")
		cmd = exec.CommandContext(ctx, "node", "--input-type=module", "-")
		if err == nil { // modules are looked for beside the directory of a script
			err = os.Symlink(filepath.Join(js, "node_modules"), filepath.Join(in, "node_modules"))
		}
	default:
		cmd = exec.CommandContext(ctx, "sh", "-s")
	}
	if err == nil {
		_, err = exec.LookPath(cmd.Path)
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the libraries for %s are MISSING, the scripts of docs/clients.md are not tested: %v", language, err)
		}
		t.Skipf("the libraries for %s are MISSING, the scripts of docs/clients.md are not tested: %v", language, err)
	}
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "HOME="+in, "DLT_DATA_DIR="+in, "RUNTIME__DLTHUB_TELEMETRY=false")
	return cmd
}

// libraries returns the directory that install makes from a list of libraries, the first
// time from the network.
func libraries(ctx context.Context, list, install string) (string, error) {
	from, err := os.ReadFile(filepath.Join("testdata", "clients", list))
	if err != nil {
		return "", err
	}
	return fetched.Dir("clients", from, func(work string) (string, error) {
		if err := os.WriteFile(filepath.Join(work, list), from, 0o600); err != nil {
			return "", err
		}
		cmd := exec.CommandContext(ctx, "sh", "-c", install)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", install, err, out)
		}
		return work, nil
	})
}
