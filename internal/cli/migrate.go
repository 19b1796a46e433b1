package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"odastream/internal/connect"
	"odastream/internal/daemon"
	"odastream/internal/migrate"
	"odastream/internal/settings"
)

const migrateMore = `
The database is that of DATABASE_URL. The daemons migrate it at their start too, unless MIGRATE is off. If another program
migrates it at the same time, the command waits up to a minute. It changes nothing if the tables are up to date.`

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
			return nil
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
		return nil
	})
}
