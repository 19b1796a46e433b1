//go:build unix

package export_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"odastream/export"
)

func TestAFIFOIsWrittenDirectly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "votes")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string, 1)
	go func() {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		read <- string(text)
	}()
	err := export.WriteFile(path, func(w io.Writer) error { _, err := fmt.Fprint(w, "one\n"); return err })
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Fatalf("FIFO after the export: %v, %v", info, err)
	}
	if got := <-read; got != "one\n" {
		t.Errorf("the FIFO's reader got %q, want the row", got)
	}
	if err := export.WriteFile("/dev/null", func(w io.Writer) error { _, err := fmt.Fprint(w, "one\n"); return err }); err != nil {
		t.Errorf("export to a device: %v", err)
	}
}

func TestALinkIsFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "there", "votes.csv")
	if err := os.Mkdir(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": filepath.Join("there", "votes.csv"), "second": "link", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"first", "second"} { // the file is not there, then it is
		err := export.WriteFile(filepath.Join(dir, "second"), func(w io.Writer) error { _, err := fmt.Fprint(w, text); return err })
		got, _ := os.ReadFile(target)
		if err != nil || string(got) != text {
			t.Errorf("export through a link: %v, the file holds %q, want %q", err, got, text)
		}
	}
	if info, err := os.Lstat(filepath.Join(dir, "link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link after the export: %v, %v", info, err)
	}
	if err := export.WriteFile(filepath.Join(dir, "loop"), func(io.Writer) error { return nil }); err == nil {
		t.Error("export to a link to itself: no error")
	}
}
