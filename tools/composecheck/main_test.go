package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// good is a file without a fault. Each case breaks one place in it.
const good = `name: x
services:
  store:
    image: postgres:17
    restart: unless-stopped
    volumes: ["data:/data"]
    ports: ["127.0.0.1:5432:5432"]
    healthcheck: {test: [CMD, "true"]}
  sink:
    build: {context: ., target: sink}
    restart: unless-stopped
    environment: {LOG_LEVEL: info, HTTP_ADDR: ":8081"}
    expose: ["8081"]
    depends_on: {store: {condition: service_healthy}}
    healthcheck: {test: [CMD, "true"]}
volumes: {data: }
`

func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ old, new, want string }{
		"a good file has no faults":         {"", "", ""},
		"no restart":                        {"    restart: unless-stopped\n    volumes", "    volumes", "store: restart"},
		"no health check":                   {"    healthcheck: {test: [CMD, \"true\"]}\n  sink", "  sink", "store: has no health check"},
		"a start before the store is ready": {"service_healthy", "service_started", "sink: waits for store"},
		"an image of any version":           {"postgres:17", "postgres", "names no version"},
		"the latest image":                  {"postgres:17", "postgres:latest", "names no version"},
		"an unknown target":                 {"target: sink", "target: skin", `builds target "skin"`},
		"a sink that cannot scale":          {"    environment:", "    ports: [\"127.0.0.1:8081:8081\"]\n    environment:", "only one of it can run"},
		"a port open to all":                {"127.0.0.1:5432:5432", "5432:5432", "opens port 5432"},
		"a port that listens on loopback":   {", HTTP_ADDR: \":8081\"", "", "want HTTP_ADDR to be :8081"},
		"the port of another service":       {"expose: [\"8081\"]", "expose: [\"8080\"]", "has port 8080"},
		"a store without a volume":          {"    volumes: [\"data:/data\"]\n", "", "no named volume"},
		"a setting that does not exist":     {"LOG_LEVEL", "LOG_LEVLE", "no setting LOG_LEVLE"},
		"a key that Compose does not know":  {"    restart: unless-stopped\n    volumes", "    restrat: always\n    volumes", "restrat"},
		"a dependency that is not there":    {"depends_on: {store:", "depends_on: {shop:", "shop"},
		"a volume that is not declared":     {"volumes: {data: }", "volumes: {other: }", "data"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if c.old != "" && !strings.Contains(good, c.old) {
				t.Fatalf("the good file lacks %q", c.old)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "Dockerfile"), "FROM golang:1 AS build\nFROM alpine:3 AS sink\n")
			help := write(t, filepath.Join(dir, "help"), "VARIABLE DEFAULT\nLOG_LEVEL info\nHTTP_ADDR :8081\n")
			file := write(t, filepath.Join(dir, "compose.yml"), strings.Replace(good, c.old, c.new, 1))
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), []string{"-help", "sink=" + help, file}, &stdout, &stderr)
			if want := min(len(c.want), 1); status != want {
				t.Errorf("exit status = %d, want %d", status, want)
			}
			if !strings.Contains(stderr.String(), c.want) {
				t.Errorf("faults = %q, want %q", &stderr, c.want)
			}
		})
	}
}

func TestCommandLineWithoutAFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"a", "b"}, {"-help", "x", "a"}, {"-no-such", "a"}} {
		var stderr bytes.Buffer
		if got := run(t.Context(), args, &stderr, &stderr); got != 2 {
			t.Errorf("run(%q) = %d, want 2", args, got)
		}
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
