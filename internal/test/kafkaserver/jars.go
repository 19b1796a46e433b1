package kafkaserver

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"odastream/internal/host/flock"
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

// fetchJars makes a directory for each state of the pom, complete or not at all.
func fetchJars(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the directory for the jars: %w", err)
	}
	sum := sha256.Sum256(pom)
	jars := filepath.Join(cache, "odastream", fmt.Sprintf("kafka-%x", sum[:6]))
	if isDir(jars) {
		return jars, nil
	}
	if err := os.MkdirAll(filepath.Dir(jars), 0o750); err != nil {
		return "", fmt.Errorf("create cache: %w", err)
	}
	// Several test processes start at once; one fetches.
	lock, err := flock.Wait(jars + ".lock")
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if isDir(jars) {
		return jars, nil
	}
	return jars, runMaven(ctx, jars)
}

func runMaven(ctx context.Context, jars string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New(`its jars are not in the cache, and there is no Maven to fetch them ("apt-get install maven")`)
	}
	work := jars + ".new"
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear %s: %w", work, err)
	}
	if err := os.MkdirAll(work, 0o750); err != nil {
		return fmt.Errorf("make %s: %w", work, err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return fmt.Errorf("write pom: %w", err)
	}
	libs := filepath.Join(work, "libs")
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--file", file, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+libs)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch jars with Maven: %w: %s", err, firstError(string(output)))
	}
	if err := os.Rename(libs, jars); err != nil {
		return fmt.Errorf("keep jars: %w", err)
	}
	return nil
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

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
