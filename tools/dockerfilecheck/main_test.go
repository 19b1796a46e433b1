package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFaultsAreNamedWithTheirLine(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ text, want string }{
		"a good file has no faults":     {"FROM golang:1 AS build\nFROM alpine:3 AS sink\nCOPY --from=build /a /a\n", ""},
		"a stage by its number":         {"FROM golang:1\nFROM alpine:3\nCOPY --from=0 /a /a\n", ""},
		"another image of one version":  {"FROM alpine:3\nCOPY --from=busybox:1 /bin/wget /bin/wget\n", ""},
		"an unknown stage":              {"FROM golang:1 AS build\nFROM alpine:3\nCOPY --from=bulid /a /a\n", "line 3: COPY --from=bulid"},
		"a later stage":                 {"FROM alpine:3\nCOPY --from=build /a /a\nFROM golang:1 AS build\n", "needs to be defined before"},
		"a fault that the linter finds": {"FROM golang:1 as build\n", "line 1: FromAsCasing"},
		"a secret in the image":         {"FROM alpine:3\nENV API_PASSWORD=x\n", "SecretsUsedInArgOrEnv"},
		"an instruction with an error":  {"FROM alpine:3\nCOYP a b\n", "unknown instruction: COYP"},
		"a file without a stage":        {"# nothing\n", "build:"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "Dockerfile")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			if got, want := run(t.Context(), []string{file}, &stdout, &stderr), min(len(c.want), 1); got != want {
				t.Errorf("exit status = %d, want %d", got, want)
			}
			if !strings.Contains(stderr.String(), c.want) {
				t.Errorf("faults = %q, want %q", &stderr, c.want)
			}
		})
	}
}

func TestAMissingFileIsAnError(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if got := run(t.Context(), []string{filepath.Join(t.TempDir(), "none")}, &out, &out); got != 1 {
		t.Errorf("run of a missing file = %d, want 1", got)
	}
	if got := run(t.Context(), nil, &out, &out); got != 2 {
		t.Errorf("run without a file = %d, want 2", got)
	}
}
