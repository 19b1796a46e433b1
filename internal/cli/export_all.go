package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"odastream/cache"
	"odastream/export"
	"odastream/odata"
	"odastream/query"
)

// exclusive returns an error unless the command line asks for one thing.
func (f *exportFlags) exclusive(args []string) error {
	n := len(args)
	for _, dir := range []string{f.all, f.check} {
		if dir != "" {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("%w: want odastream export ENTITY, or --all DIR, or --check DIR", errUsage)
	case len(args) == 0 && (f.where != "" || f.out != ""):
		return fmt.Errorf("%w: --where and --out are for an ENTITY: a dump has all rows, in files of its own", errUsage)
	case f.check != "" && f.asOf != "":
		return fmt.Errorf("%w: --check reads no rows, so there is no --as-of", errUsage)
	}
	return nil
}

// dump returns the dump that the command line asks for.
func (f *exportFlags) dump(format export.Format, request *odata.Request) export.Dump {
	return export.Dump{Dir: f.all, Format: format, Moment: request.AsOf}
}

// writeAll writes a dump, and shows how far it is.
func (f *exportFlags) writeAll(ctx context.Context, c call, to target, dump export.Dump) error {
	pool, err := to.pool(ctx, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	line, kept := c.progress(), 0
	dump.Progress = func(p export.Progress) error {
		if p.Kept {
			kept++
		}
		line.Set(fmt.Sprintf("%d/%d %s: %d rows", p.File, p.Files, p.Entity, p.Rows))
		return nil
	}
	m, err := dump.Write(ctx, export.Copy{Rows: cache.NewReader(pool), Requests: query.NewReader(pool)})
	if err != nil {
		return fmt.Errorf("%w; the same command goes on with it", err)
	}
	line.Done(fmt.Sprintf("%s, %d of its files kept", summary(m), kept))
	return nil
}

// summary says what a dump holds.
func summary(m export.Manifest) string {
	rows := int64(0)
	for _, f := range m.Files {
		rows += f.Rows
	}
	return fmt.Sprintf("%d rows in %d files as of %s", rows, len(m.Files), m.Moment.Format(time.RFC3339Nano))
}

// checkAll compares a dump with its manifest.
func (f *exportFlags) checkAll(c call) error {
	if _, err := os.Stat(f.check); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: --check: %w", errUsage, err)
	}
	m, differences, err := export.Check(f.check)
	if err != nil {
		return err
	}
	for _, d := range differences {
		if err := c.printf("%s\n", d); err != nil {
			return err
		}
	}
	if len(differences) > 0 {
		return fmt.Errorf("%s is not whole: %d differences; export --all writes what is wrong again", f.check, len(differences))
	}
	return c.printf("whole: %s\n", summary(m))
}
