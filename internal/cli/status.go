package cli

import (
	"cmp"
	"context"
	"flag"

	"odastream/internal/survey"
	"odastream/stream"
)

const statusMore = `
The database is that of DATABASE_URL or, if this is not set, that of the running "odastream up". Poller and sink are
asked at the addresses of --poller and --sink. If one of them does not answer, the command says so and shows the rest.`

// statusFlags are the command line of status.
type statusFlags struct {
	targetFlags
	json         bool
	poller, sink string
}

func statusCommand() command {
	return command{
		name: "status", about: "Show how far poller and sink are, entity by entity.", more: statusMore,
		flags: func(set *flag.FlagSet) action {
			f := &statusFlags{}
			f.declare(set)
			set.BoolVar(&f.json, "json", false, "print it as one JSON object")
			set.StringVar(&f.poller, "poller", "", "`host:port` of the poller's HTTP_ADDR; default 127.0.0.1:8080, or that of \"odastream up\"")
			set.StringVar(&f.sink, "sink", "", "`host:port` of the sink's HTTP_ADDR; default 127.0.0.1:8081, or that of \"odastream up\"")
			return f.run
		},
	}
}

func (f *statusFlags) run(ctx context.Context, c call) error {
	var s struct {
		Kafka stream.Config `envPrefix:"KAFKA_"`
	}
	to, err := f.read(c.environ, &s)
	if err != nil {
		return err
	}
	pool, err := to.pool(ctx, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	report, err := survey.Take(ctx, survey.Target{
		Pool: pool, TopicPrefix: s.Kafka.TopicPrefix, Poller: cmp.Or(f.poller, to.poller), Sink: cmp.Or(f.sink, to.sink),
	})
	if err != nil {
		return err
	}
	if f.json {
		return c.printObject(report)
	}
	return report.WriteText(c.stdout)
}
