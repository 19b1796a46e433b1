// Command sink applies the topics of oda.ft.dk to Postgres: current rows, what
// was deleted, what could not be applied, and how far each partition is. With
// --once it applies what there is and exits.
//
// Invariant: it only reads settings and wires packages together.
package main

import (
	"context"
	"io"
	"os"

	"odastream/internal/daemon"
)

const about = `sink applies the topics of oda.ft.dk to the tables of a Postgres database, as a member of a consumer group.
With --once it takes all partitions, applies everything up to the topics' ends as they stand at its start, and exits.`

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var set settings
	return daemon.Main(ctx, daemon.Program{
		Name: "sink", About: about,
		Settings: &set, Log: &set.Log, HTTPAddr: &set.HTTPAddr,
		Prefixes: []string{"SINK_", "CACHE_", "KAFKA_", "HISTORY_", "POLL_", "ODA_", "SCAN_"}, Others: elsewhere(),
		Start: func(ctx context.Context, env daemon.Env) (daemon.Job, error) {
			sink, err := set.open(ctx, env)
			if err != nil {
				return daemon.Job{}, err
			}
			job := daemon.Job{
				Run: sink.Run, Ready: sink.Ready, Status: func() any { return sink.Status() }, Close: sink.Close,
			}
			if env.Once {
				job.Run = sink.Once
			}
			return job, nil
		},
	}, args, environ, stdout, stderr)
}
