package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRelease makes a release of a small module, for one platform with each kind
// of archive.
func TestRelease(t *testing.T) {
	t.Parallel()
	root, out := t.TempDir(), t.TempDir()
	write(t, root, "go.mod", "module example.org/small\n\ngo 1.26.0\n")
	write(t, root, "LICENSE", "MIT\n")
	write(t, root, "cmd/small/main.go", "package main\n\nfunc main() { println(1) }\n")
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-root", root, "-out", out, "linux/amd64", "windows/amd64"}, &stdout, &stderr); status != 0 {
		t.Fatalf("run = %d: %s", status, &stderr)
	}
	want := []string{
		"SHA256SUMS",
		"small_devel_linux_amd64.cdx.json", "small_devel_linux_amd64.tar.gz",
		"small_devel_windows_amd64.cdx.json", "small_devel_windows_amd64.zip",
	}
	if got := names(t, out); !slices.Equal(got, want) {
		t.Errorf("files = %q, want %q", got, want)
	}
	sums, _ := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	archive, err := os.ReadFile(filepath.Join(out, want[2]))
	if err != nil {
		t.Fatal(err)
	}
	if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(archive), want[2]); !strings.Contains(string(sums), line) {
		t.Errorf("SHA256SUMS = %s, want the line %s", sums, line)
	}
	entries := []string{"small_devel_linux_amd64/LICENSE", "small_devel_linux_amd64/licenses/go/LICENSE", "small_devel_linux_amd64/small"}
	if got := tarNames(t, archive); !slices.Equal(got, entries) {
		t.Errorf("archive has %q, want %q", got, entries)
	}
	zipped, err := zip.OpenReader(filepath.Join(out, want[4]))
	if err != nil {
		t.Fatal(err)
	}
	defer zipped.Close()
	if last := zipped.File[len(zipped.File)-1].Name; last != "small_devel_windows_amd64/small.exe" {
		t.Errorf("last of the zip archive is %s, want the program", last)
	}
}

// tarNames checks that no entry shows who made it or when, and returns the names.
func tarNames(t *testing.T, archive []byte) (names []string) {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.Year() != 1980 {
			t.Errorf("entry %s is of %d:%d %q at %v, want owner 0 and the time of the tree", h.Name, h.Uid, h.Gid, h.Uname, h.ModTime)
		}
		names = append(names, h.Name)
	}
}

func TestTheSBOMNamesWhatIsLinked(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := writeBOM(&out, origin{
		main: debug.Module{Path: "example.org/small", Version: "v1.2.3+dirty"}, goVer: "go1.26.8",
		vcs:     map[string]string{"vcs.time": "2026-11-30T10:00:00Z", "vcs.revision": "abc"},
		modules: []debug.Module{{Path: "example.org/dep", Version: "v0.1.0", Sum: "h1:x="}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata.Timestamp != "2026-11-30T10:00:00Z" || got.Metadata.Component.PURL != "pkg:golang/example.org/small@v1.2.3%2Bdirty" {
		t.Errorf("metadata = %+v", got.Metadata)
	}
	want := []string{"pkg:golang/stdlib@1.26.8", "pkg:golang/example.org/dep@v0.1.0"}
	if !slices.Equal(got.Dependencies[0].DependsOn, want) {
		t.Errorf("dependencies = %q, want %q", got.Dependencies[0].DependsOn, want)
	}
	if sum := got.Components[1].Properties[0].Value; sum != "h1:x=" {
		t.Errorf("sum of the module = %q, want that of go.sum", sum)
	}
}

func TestAModuleWithoutALicenceIsAnError(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, "go.mod", "module example.org/small\n\ngo 1.26.0\n")
	_, err := licences(t.Context(), root, origin{modules: []debug.Module{{Path: "example.org/small"}}})
	if err == nil || !strings.Contains(err.Error(), "example.org/small has no licence") {
		t.Errorf("licences = %v, want an error that names the module", err)
	}
}

func TestADifferenceIsNamed(t *testing.T) {
	t.Parallel()
	one, other := t.TempDir(), t.TempDir()
	write(t, one, "a", "1")
	write(t, other, "a", "1")
	if err := same(one, other); err != nil {
		t.Errorf("same = %v, want nil", err)
	}
	write(t, other, "a", "2")
	if err := same(one, other); err == nil || !strings.HasSuffix(err.Error(), "again: a") {
		t.Errorf("same = %v, want the file's name", err)
	}
	write(t, other, "b", "")
	if err := same(one, other); err == nil {
		t.Error("same = nil with an additional file")
	}
}

func TestTheTimeIsThatOfTheCommit(t *testing.T) {
	t.Parallel()
	o := origin{vcs: map[string]string{"vcs.time": "2026-11-30T11:00:00+01:00"}}
	if got, want := o.time(), time.Date(2026, time.November, 30, 10, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("time = %v, want %v", got, want)
	}
}

func TestABadCommandLineIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-out", "x", "-check"}, {"-out", "x", "linux"}, {"-no-such"}} {
		var stderr bytes.Buffer
		if got := run(t.Context(), args, io.Discard, &stderr); got != 2 || stderr.Len() == 0 {
			t.Errorf("run(%q) = %d, %q, want 2 and a reason", args, got, &stderr)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
