package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/console"
	"odastream/internal/follow"
	"odastream/stream"
)

const tailMore = `
The topics are those of KAFKA_BROKERS (with KAFKA_TOPIC_PREFIX, KAFKA_TLS, …: poller --help) or, if this is not set, those of
the running "odastream up". The command joins no consumer group and commits no offset.`

// tailFlags are the command line of tail.
type tailFlags struct {
	targetFlags
	json bool
	from string
}

func tailCommand() command {
	return command{
		name: "tail", args: "ENTITY", about: "Follow one entity's topic: each change is a line.", more: tailMore,
		flags: func(set *flag.FlagSet) action {
			f := &tailFlags{}
			f.declare(set)
			set.BoolVar(&f.json, "json", false, "print each change as the topic holds it, one JSON object a line; nothing for tombstones")
			set.StringVar(&f.from, "from", "now", "`now|start`: only new changes, or first all that the topic holds")
			return f.run
		},
	}
}

// run prints until the first signal.
func (f *tailFlags) run(ctx context.Context, c call) error {
	entity, err := entityOf(c.args[0])
	if err != nil {
		return err
	}
	begin := map[string]follow.From{"now": follow.End, "start": follow.Start}
	from, ok := begin[f.from]
	if !ok {
		return fmt.Errorf("%w: --from is %q, want now or start", errUsage, f.from)
	}
	var s struct {
		Kafka stream.Config `envPrefix:"KAFKA_"`
	}
	if _, err := f.read(c.environ, &s); err != nil {
		return err
	}
	log := c.log(slog.LevelWarn)
	return c.untilStopped(ctx, log, func(ctx context.Context) error {
		reader, err := follow.Open(ctx, s.Kafka, []string{entity.Name}, from, log)
		if err != nil {
			return err
		}
		defer reader.Close()
		return f.print(ctx, c, s.Kafka, reader, log)
	})
}

// print prints the records that arrive, until ctx ends or the reader of stdout has
// gone.
func (f *tailFlags) print(ctx context.Context, c call, cfg stream.Config, reader *follow.Reader, log *slog.Logger) error {
	for {
		records, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		for _, r := range records {
			line, ok := f.line(cfg, r, log)
			if !ok {
				continue
			}
			if err := c.printf("%s\n", line); err != nil {
				return err
			}
		}
	}
}

// line returns a record as it is printed; ok is false if it is no change.
func (f *tailFlags) line(cfg stream.Config, r *kgo.Record, log *slog.Logger) (line string, ok bool) {
	m, err := cfg.Decode(r)
	switch {
	case err != nil:
		log.Warn("record is no change", "partition", r.Partition, "offset", r.Offset, "err", err)
		return "", false
	case m.Tombstone:
		return "", false
	case f.json:
		return console.VisibleJSON(string(r.Value)), true
	default:
		return console.Headline(m.Change), true
	}
}
