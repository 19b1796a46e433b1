// Command opencases keeps the Redis set open-cases: the ids of the parliament's cases
// that are not closed yet.
//
// Invariant: a change counts as read only once Redis has answered. It reads the topic of
// Sag from its start, and after a restart continues where it was: SADD and SREM may be
// sent twice.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
	"odastream/stream"
)

// set is the name of the set.
const set = "open-cases"

// closed reports whether nothing more happens to a case in this state.
func closed(state string) bool {
	return slices.Contains([]string{
		"Afsluttet", "Besvaret", "Bortfaldet", "Endeligt svar", "Forkastet", "Stadfæstet", "Tilbagetaget", "Vedtaget",
	}, state)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg := stream.Config{
		Brokers:     strings.Split(cmp.Or(os.Getenv("KAFKA_BROKERS"), "localhost:9092"), ","),
		TopicPrefix: cmp.Or(os.Getenv("KAFKA_TOPIC_PREFIX"), "parliament-"),
	}
	if err := run(ctx, cfg, cmp.Or(os.Getenv("REDIS_ADDR"), "localhost:6379")); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "opencases:", err)
		os.Exit(1)
	}
}

// run keeps the set until ctx ends.
func run(ctx context.Context, cfg stream.Config, addr string) error {
	cache, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer cache.close()
	open := cases{cfg: cfg, redis: cache}
	for change, err := range stream.Changes(ctx, stream.Subscription{Config: cfg, Entities: []string{"Sag"}, Group: "open-cases"}) {
		if err == nil {
			err = open.take(ctx, change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cases holds the set and the names of the states of cases.
type cases struct {
	cfg   stream.Config
	redis *redis
	words map[int]string // by statusid
}

// take adds a case to the set, or removes it.
func (c *cases) take(ctx context.Context, change schema.Change) error {
	command := "SREM"
	if change.Action != schema.Delete {
		var row struct {
			StatusID int `json:"statusid"`
		}
		if err := json.Unmarshal(change.Data, &row); err != nil {
			return fmt.Errorf("read %s: %w", change.Key(), err)
		}
		word, err := c.word(ctx, row.StatusID)
		if err != nil {
			return err
		}
		if !closed(word) {
			command = "SADD"
		}
	}
	if _, err := c.redis.do(command, set, strconv.FormatInt(change.ID, 10)); err != nil {
		return fmt.Errorf("keep %s: %w", change.Key(), err)
	}
	return nil
}

// word returns the name of a state; "" if Sagsstatus has none, which counts as open.
func (c *cases) word(ctx context.Context, id int) (string, error) {
	if word, ok := c.words[id]; ok {
		return word, nil
	}
	if err := c.readWords(ctx); err != nil {
		return "", fmt.Errorf("read what states are called: %w", err)
	}
	word := c.words[id]
	c.words[id] = word // an unknown state is not looked up for each case
	return word, nil
}

// readWords reads the topic of Sagsstatus from its start to its end.
func (c *cases) readWords(ctx context.Context) error {
	quiet := slog.New(slog.DiscardHandler)
	cl, err := stream.NewClient(c.cfg, quiet)
	if err != nil {
		return err
	}
	defer cl.Close()
	c.words = map[int]string{}
	_, err = stream.NewTopics(cl, c.cfg, quiet).ReadLog(ctx, "Sagsstatus", nil, func(records []*kgo.Record) error {
		for _, r := range records {
			m, err := c.cfg.Decode(r)
			if err != nil || m.Change.Action == schema.Delete {
				continue // a deleted state keeps its name
			}
			var row struct {
				Status string `json:"status"`
			}
			if err := json.Unmarshal(m.Change.Data, &row); err != nil {
				return fmt.Errorf("read %s: %w", m.Change.Key(), err)
			}
			c.words[int(m.Change.ID)] = row.Status
		}
		return nil
	})
	return err
}
