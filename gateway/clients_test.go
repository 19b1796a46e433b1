package gateway_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"odastream/gateway"
)

// scripts are the scripts of docs/clients.md, with how each is run.
var scripts = regexp.MustCompile("(?s)```(python|js|sh)\n(.*?)```")

// interpreters read a script from their standard input.
var interpreters = map[string][]string{
	"python": {"python3", "-"},
	"js":     {"node", "--input-type=module", "-"},
	"sh":     {"sh", "-s"},
}

// The scripts that the document shows read everything, as they stand there.
func TestTheScriptsOfTheDocumentWork(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.URL = "" })
	text, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	members := r.sim.Len("Stemme")
	want := map[string]string{
		"python": fmt.Sprintf("%d of %d with their Afstemning\n", members, members),
		"js":     fmt.Sprintf("%d votes of members\n", members),
		"sh":     fmt.Sprint(members),
	}
	for _, script := range scripts.FindAllStringSubmatch(string(text), -1) {
		language, code := script[1], strings.ReplaceAll(script[2], "http://127.0.0.1:8090", r.url)
		t.Run(language, func(t *testing.T) {
			run := interpreters[language]
			if _, err := exec.LookPath(run[0]); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatalf("%s is MISSING: the script of docs/clients.md is not tested", run[0])
				}
				t.Skipf("%s is MISSING: the script of docs/clients.md is not tested", run[0])
			}
			cmd := exec.CommandContext(t.Context(), run[0], run[1:]...)
			cmd.Stdin = strings.NewReader(code)
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != want[language] {
				t.Errorf("%s: %v\n%s\nwant %s", language, err, out, want[language])
			}
			delete(want, language)
		})
	}
	for language := range want {
		t.Errorf("docs/clients.md has no script in %s that works", language)
	}
}
