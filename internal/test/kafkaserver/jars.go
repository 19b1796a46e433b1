package kafkaserver

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"odastream/internal/test/fetched"
)

// pom names the jars and their versions, for Maven.
//
//go:embed pom.xml
var pom []byte

// ErrUnavailable is returned, wrapped with the reason, when this machine cannot run
// Kafka: there is no Java, or the jars are not in the cache and cannot be fetched. A
// person must fix that.
var ErrUnavailable = errors.New("no Apache Kafka on this machine")

// Installation holds the files that a broker runs from.
type Installation struct {
	Java string // the program, 17 or newer
	Jars string // a directory
}

// Install finds Java and returns the jars. The first time, Maven fetches them (some 55
// MB) into the user's cache. Every error but one of ctx wraps ErrUnavailable.
func Install(ctx context.Context) (Installation, error) {
	java, err := findJava()
	if err != nil {
		return Installation{}, err
	}
	jars, err := fetchJars(ctx)
	if ctx.Err() != nil {
		return Installation{}, ctx.Err()
	}
	if err != nil {
		return Installation{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return Installation{Java: java, Jars: jars}, nil
}

func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if java := filepath.Join(home, "bin", "java"); isFile(java) {
			return java, nil
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf(`%w: no Java; install version 17 or newer ("apt-get install openjdk-17-jre-headless maven")`, ErrUnavailable)
	}
	return java, nil
}

// fetchJars returns a directory for each state of the pom.
func fetchJars(ctx context.Context) (string, error) {
	return fetched.Dir("kafka", pom, func(work string) (string, error) { return runMaven(ctx, work) })
}

func runMaven(ctx context.Context, work string) (libs string, err error) {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New(`its jars are not in the cache, and there is no Maven to fetch them ("apt-get install maven")`)
	}
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return "", fmt.Errorf("write pom: %w", err)
	}
	libs = filepath.Join(work, "libs")
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--file", file, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+libs)
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch jars with Maven: %w: %s", err, firstError(string(output)))
	}
	return libs, nil
}

// firstError returns the line with Maven's reason.
func firstError(output string) string {
	for line := range strings.Lines(output) {
		if strings.Contains(line, "[ERROR]") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(output)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
