// Command gateway answers by HTTP from the copy in Postgres: as oda.ft.dk does, under
// /api.
//
// Invariant: it only reads settings and wires packages together.
package main

import (
	"context"
	"io"
	"os"

	"odastream/internal/daemon"
)

const about = `gateway answers by HTTP from the copy of oda.ft.dk in a Postgres database: a client of oda.ft.dk
changes its base address to http://HOST:8090/api and nothing else. Any number may run side by side; a replica will do.`

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var set settings
	return daemon.Main(ctx, daemon.Program{
		Name: "gateway", About: about, NoOnce: true,
		Settings: &set, Log: &set.Log, HTTPAddr: &set.HTTPAddr,
		Prefixes: []string{"GATEWAY_", "KAFKA_", "ODA_"}, Others: elsewhere(),
		Start: func(ctx context.Context, env daemon.Env) (daemon.Job, error) {
			gateway, err := set.open(ctx, env)
			if err != nil {
				return daemon.Job{}, err
			}
			return daemon.Job{Run: gateway.Run, Ready: gateway.Ready, Close: gateway.Close}, nil
		},
	}, args, environ, stdout, stderr)
}
