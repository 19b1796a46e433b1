// Command poller finds every change in the open data of oda.ft.dk and publishes
// it to one Kafka topic for each entity set. With --once it brings the topics up
// to what the source has and exits.
//
// Invariant: it only reads settings and wires packages together.
package main

import (
	"context"
	"io"
	"os"

	"odastream/internal/daemon"
)

const about = `poller follows the open data of the Danish parliament (oda.ft.dk) and publishes every change to Kafka.
With --once it makes the first load of each entity that has none, one pass over what is new and the scans that are
due, and exits.`

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var set settings
	return daemon.Main(ctx, daemon.Program{
		Name: "poller", About: about,
		Settings: &set, Log: &set.Log, HTTPAddr: &set.HTTPAddr,
		Prefixes: []string{"ODA_", "KAFKA_", "POLL_", "SCAN_", "SINK_", "CACHE_", "HISTORY_"}, Others: elsewhere(),
		Start: func(ctx context.Context, env daemon.Env) (daemon.Job, error) {
			p, err := set.open(ctx, env)
			if err != nil {
				return daemon.Job{}, err
			}
			job := daemon.Job{Run: p.Run, Ready: p.Ready, Status: func() any { return p.Status() }, Close: p.Close}
			if env.Once {
				job.Run = p.Once
			}
			return job, nil
		},
	}, args, environ, stdout, stderr)
}
