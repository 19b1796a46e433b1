// Package docs tests what the documents say about the code.
//
// Invariant: a package that architecture.md does not name fails a test. It knows nothing
// of what packages do.
package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// comments returns the package comment of each package of this module, by its path below
// the module's root.
func comments(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		name, err := filepath.Rel("..", filepath.Dir(path))
		found[filepath.ToSlash(name)] += file.Doc.Text()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// enter returns fs.SkipDir for directories that hold no packages of this module.
func enter(path, name string) error {
	switch {
	case path == "..":
		return nil
	case strings.HasPrefix(name, "."), name == "testdata":
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// named returns the packages in the rows of architecture.md's table of packages.
func named(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| floor | package |")
	if !found {
		t.Fatal("architecture.md has no table of floors and packages")
	}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if line == "\n" {
			break
		}
		if len(cells) < 5 || strings.HasPrefix(cells[1], "---") {
			continue
		}
		if strings.TrimSpace(cells[1]) == "" {
			t.Errorf("%s has no floor", cells[2])
		}
		names = append(names, strings.Split(strings.TrimSpace(cells[2]), ", ")...)
	}
	return names
}

func TestArchitectureNamesEveryPackageOnce(t *testing.T) {
	t.Parallel()
	names, packages := named(t), comments(t)
	for name := range packages {
		if !slices.Contains(names, name) {
			t.Errorf("architecture.md does not name package %s", name)
		}
	}
	seen := map[string]bool{}
	for _, name := range names {
		if _, ok := packages[name]; !ok {
			t.Errorf("architecture.md names %s, which is no package", name)
		}
		if seen[name] {
			t.Errorf("architecture.md names %s twice", name)
		}
		seen[name] = true
	}
}

// Each package comment has a paragraph "Invariant: …", or "Invariant 3: …" for one of
// those of architecture.md.
func TestEveryPackageSaysItsInvariant(t *testing.T) {
	t.Parallel()
	says := regexp.MustCompile(`(?m)^Invariants?( \d( and \d)?)?: `)
	for name, comment := range comments(t) {
		if !says.MatchString(comment) {
			t.Errorf("the comment of package %s has no paragraph that begins with Invariant", name)
		}
	}
}
