// Command votes prints the parliament's votes as they happen, a line each.
//
// Invariant: it keeps no state, so it does not print votes that happen while it does not
// run. It reads the topic of Afstemning at KAFKA_BROKERS (localhost:9092).
package main

import (
	"cmp"
	"context"
	"encoding/json"
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
	votes := stream.Subscription{
		Config: stream.Config{
			Brokers:     strings.Split(cmp.Or(os.Getenv("KAFKA_BROKERS"), "localhost:9092"), ","),
			TopicPrefix: cmp.Or(os.Getenv("KAFKA_TOPIC_PREFIX"), "parliament-"),
		},
		Entities: []string{"Afstemning"},
		New:      true,
	}
	if err := follow(ctx, votes, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "votes:", err)
		os.Exit(1)
	}
}

// follow prints each new vote until ctx ends.
func follow(ctx context.Context, votes stream.Subscription, out io.Writer) error {
	for change, err := range stream.Changes(ctx, votes) {
		if err != nil {
			return err
		}
		if change.Action == schema.Create {
			fmt.Fprintln(out, line(change))
		}
	}
	return nil
}

// line returns a vote as one line: its number, whether it passed, and the counts in the
// source's words.
func line(change schema.Change) string {
	var vote struct {
		Nummer     int    `json:"nummer"`
		Konklusion string `json:"konklusion"`
		Vedtaget   bool   `json:"vedtaget"`
	}
	if err := json.Unmarshal(change.Data, &vote); err != nil {
		return fmt.Sprintf("vote %d: %v", change.ID, err)
	}
	result := "rejected"
	if vote.Vedtaget {
		result = "passed"
	}
	return fmt.Sprintf("vote %d (%d) %s: %s", vote.Nummer, change.ID, result, strings.Join(strings.Fields(vote.Konklusion), " "))
}
