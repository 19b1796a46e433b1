package export

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile has write make the file's content: under another name beside it, which
// becomes the file's once all of it is on the disk. Where write fails, or the
// process dies, a file that was there before is as it was.
func WriteFile(path string, write func(io.Writer) error) error {
	dir, name := filepath.Split(path)
	part, err := os.CreateTemp(filepath.Clean(dir), "."+name+".part-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = write(part)
	if err == nil {
		err = publish(part)
	}
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name()) // the reason is what failed before
		return fmt.Errorf("write %s: %w; the file is as it was", path, err)
	}
	return nil
}

// publish lets others read the file, as any that a program makes, and waits until
// it is on the disk: only then may it get its name.
func publish(file *os.File) error {
	if err := file.Chmod(0o644); err != nil { //nolint:gosec // the data are public
		return err
	}
	return file.Sync()
}
