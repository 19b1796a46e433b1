// Command silentedits alerts when a row was changed without a new stamp. No poll by
// stamps shows such an update; only a scan finds it (origin scan).
//
// Invariant: no edit is missed while it does not run, since it remembers its place
// under the group silent-edits. A scan finds late rows too: look at the stamp.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"odastream/schema"
	"odastream/stream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	entities := os.Args[1:]
	if len(entities) == 0 {
		entities = []string{"Afstemning", "Sag", "Aktør"}
	}
	watched := stream.Subscription{
		Config: stream.Config{
			Brokers:     strings.Split(cmp.Or(os.Getenv("KAFKA_BROKERS"), "localhost:9092"), ","),
			TopicPrefix: cmp.Or(os.Getenv("KAFKA_TOPIC_PREFIX"), "parliament-"),
		},
		Entities: entities,
		Group:    "silent-edits",
		New:      true,
	}
	if err := watch(ctx, watched, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "silentedits:", err)
		os.Exit(1)
	}
}

// watch prints an alert for each silent edit until ctx ends.
func watch(ctx context.Context, watched stream.Subscription, out io.Writer) error {
	for change, err := range stream.Changes(ctx, watched) {
		if err != nil {
			return err
		}
		if silent(change) {
			if _, err := fmt.Fprintln(out, alert(change)); err != nil {
				return fmt.Errorf("alert: %w", err) // it is sent again at the next start
			}
		}
	}
	return nil
}

func silent(c schema.Change) bool {
	return c.Action == schema.Update && c.Origin == schema.OriginScan
}

func alert(c schema.Change) string {
	members := "its members"
	if len(c.Changed) > 0 {
		members = strings.Join(c.Changed, ", ")
	}
	return fmt.Sprintf("%s %s changed %s, still stamped %s", c.Timestamp.Format("2006-01-02 15:04"), c.Key(), members, c.Opdateringsdato)
}
