package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"

	"odastream/internal/connect"
	"odastream/internal/daemon"
	"odastream/internal/migrate"
	"odastream/internal/settings"
)

const migrateMore = `
The database is that of DATABASE_URL. The daemons migrate it at their start too, unless MIGRATE is off. If another program
migrates it at the same time, the command waits up to a minute. It changes no table if all are up to date.

It also makes the role odastream_reader, which may read the copy and nothing else: for the gateway and for other readers. The
role cannot log in. Grant it to one that can, or ALTER ROLE odastream_reader LOGIN PASSWORD '…'.`

// migrateFlags are the command line of migrate.
type migrateFlags struct{ dry bool }

func migrateCommand() command {
	return command{
		name: "migrate", about: "Bring the database to this version's tables.", more: migrateMore,
		flags: func(set *flag.FlagSet) action {
			f := &migrateFlags{}
			set.BoolVar(&f.dry, "dry-run", false, "print what would be done, and do nothing")
			return f.run
		},
	}
}

func (f *migrateFlags) run(ctx context.Context, c call) error {
	var s struct {
		DatabaseURL string `env:"DATABASE_URL,required" secret:"true" address:"postgres" help:"Postgres URL or DSN, version 15 or newer"`
	}
	if err := settings.Parse(c.environ, &s); err != nil {
		return err
	}
	log := c.log(slog.LevelInfo)
	return c.untilStopped(ctx, log, func(ctx context.Context) error {
		pool, err := connect.Postgres(ctx, s.DatabaseURL, nil) // says what is wrong with the database
		if err != nil {
			return err
		}
		pool.Close()
		pending, err := migrate.Pending(ctx, s.DatabaseURL)
		if err != nil {
			return err
		}
		where := daemon.Redact(s.DatabaseURL)
		if len(pending) == 0 {
			fmt.Fprintln(c.stdout, where+" is up to date: nothing to do")
			return f.grantReader(ctx, c, s.DatabaseURL)
		}
		fmt.Fprintf(c.stdout, "%s lacks %d migrations:\n", where, len(pending))
		for _, file := range pending {
			fmt.Fprintln(c.stdout, "  "+file)
		}
		if f.dry {
			return nil
		}
		if err := migrate.Up(ctx, s.DatabaseURL, log); err != nil {
			return err
		}
		fmt.Fprintln(c.stdout, "done")
		return f.grantReader(ctx, c, s.DatabaseURL)
	})
}

// grantReader makes the role of readers. A user that may make no roles is told: nothing
// that poller and sink need is lacking then.
func (f *migrateFlags) grantReader(ctx context.Context, c call, databaseURL string) error {
	if f.dry {
		return nil
	}
	err := migrate.GrantReader(ctx, databaseURL)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == insufficientPrivilege {
		fmt.Fprintf(c.stdout, "the role %s could not be made: %s. A user that may make roles runs odastream migrate once more\n", migrate.ReaderRole, refused.Message)
		return nil
	}
	if err == nil {
		fmt.Fprintf(c.stdout, "the role %s may read the copy, and nothing else\n", migrate.ReaderRole)
	}
	return err
}

// insufficientPrivilege is the SQLSTATE of what a user may not do.
const insufficientPrivilege = "42501"
