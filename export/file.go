package export

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile calls write to write a temporary file in the same directory, and renames it
// once all of it is on the disk. If write fails or the process dies, an existing file
// stays as it was.
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
		_ = os.Remove(part.Name()) // the error to report is the earlier one
		return fmt.Errorf("write %s: %w; the file is as it was", path, err)
	}
	return nil
}

// publish lets others read the file, like any file that a program creates, and waits
// until it is on the disk. Only then may it be renamed.
func publish(file *os.File) error {
	if err := file.Chmod(0o644); err != nil { //nolint:gosec // the data are public
		return err
	}
	return file.Sync()
}
