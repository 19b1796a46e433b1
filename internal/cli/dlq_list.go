package cli

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"time"

	"odastream/cache"
	"odastream/dlq"
)

const dlqListMore = dlqMore + `
Without --all it lists those that are open or superseded. A dead letter is superseded if the cache holds its version of the
row or a newer one; the command stores this state. With --topic it also lists the poller's dead letters, which are only on
the topic TOPIC.dlq: rows that could not be published.`

// dlqListFlags are the command line of dlq list.
type dlqListFlags struct {
	dlqFlags
	filter dlqFilter
	age    time.Duration
	all    bool
}

func dlqListCommand() command {
	return command{
		name: "dlq list", about: "List the records that could not be applied.", more: dlqListMore,
		flags: func(set *flag.FlagSet) action {
			f := &dlqListFlags{}
			f.declare(set)
			f.filter.declare(set)
			set.DurationVar(&f.age, "age", 0, "only those that failed `longer` ago than this, such as 24h")
			set.BoolVar(&f.all, "all", false, "also those that were retried or discarded")
			return f.run
		},
	}
}

func (f *dlqListFlags) run(ctx context.Context, c call) error {
	filter, err := f.filter.parse()
	if err != nil {
		return err
	}
	if f.age < 0 {
		return fmt.Errorf("%w: --age is %s, want 0s or more", errUsage, f.age)
	}
	filter.Before = time.Now().Add(-f.age)
	if !f.all {
		filter.States = []cache.DeadLetterState{cache.DeadLetterOpen, cache.DeadLetterSuperseded}
	}
	return f.open(ctx, c, func(ctx context.Context, q *dlq.Queue) error {
		list, err := q.List(ctx, filter)
		if err != nil {
			return err
		}
		if !f.json {
			return printEntries(c, list, time.Now())
		}
		for _, e := range list {
			if err := c.printLine(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// printEntries prints a table, and the number of entries in each state.
func printEntries(c call, list []dlq.Entry, now time.Time) error {
	if len(list) == 0 {
		return c.printf("no dead letters\n")
	}
	count := map[string]int{}
	table := newTable(c.stdout)
	fmt.Fprintln(table, "LETTER\tKEY\tCLASS\tSTATE\tAGE\tERROR")
	for _, e := range list {
		count[e.State]++
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, oneLine(cmp.Or(e.Key, "-")), e.Class, e.State, age(now.Sub(e.FailedAt)), oneLine(e.Error))
	}
	if err := flush(table); err != nil {
		return err
	}
	return c.printf("%d dead letters: %d open, %d superseded\n", len(list), count[string(cache.DeadLetterOpen)], count[string(cache.DeadLetterSuperseded)])
}

// age returns a duration in its largest whole unit.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", max(0, d)/time.Second)
}
