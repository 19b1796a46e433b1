package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile calls write to write the file at path, which may be a symbolic link to it.
// It writes a temporary file in the file's directory, and renames it once all of it is
// on the disk. If write fails or the process dies, an existing file stays as it was.
// What is not a regular file, such as a FIFO or a device, is written directly.
func WriteFile(path string, write func(io.Writer) error) error {
	target, err := followLinks(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return writeDirectly(target, write)
	}
	dir, name := filepath.Split(target)
	part, err := os.CreateTemp(filepath.Clean(dir), "."+name+".part-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = write(part)
	if err == nil {
		err = publish(part)
	}
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), target)
	}
	if err != nil {
		_ = os.Remove(part.Name()) // the error to report is the earlier one
		return fmt.Errorf("write %s: %w; the file is as it was", path, err)
	}
	return nil
}

// writeDirectly writes to a FIFO or a device. Opening a FIFO waits for its reader.
func writeDirectly(path string, write func(io.Writer) error) error {
	out, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := errors.Join(write(out), out.Close()); err != nil {
		return fmt.Errorf("write %s: %w; what was written before has reached it", path, err)
	}
	return nil
}

// maxLinks is how many symbolic links are followed, as by Linux.
const maxLinks = 40

// followLinks returns the path that path leads to by symbolic links, whether there is a
// file or not.
func followLinks(path string) (string, error) {
	for range maxLinks {
		target, err := filepath.EvalSymlinks(path)
		if err == nil {
			return target, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil // a new file
		}
		if err != nil {
			return "", err
		}
		next, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}
		path = next
	}
	return "", &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
}

// publish lets others read the file, like any file that a program creates, and waits
// until it is on the disk. Only then may it be renamed.
func publish(file *os.File) error {
	if err := file.Chmod(0o644); err != nil { //nolint:gosec // the data are public
		return err
	}
	return file.Sync()
}
