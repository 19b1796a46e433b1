package cli

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"odastream/cache"
	"odastream/dlq"
)

const dlqDiscardMore = dlqMore + `
It marks dead letters as discarded, with the time, and prints each of them as a receipt. The rows of dead_letters stay, and
the records stay on the topic until its retention ends. The cache does not change. The command asks first, unless --yes is
given.`

// dlqDiscardFlags are the command line of dlq discard.
type dlqDiscardFlags struct {
	dlqFlags
	filter   dlqFilter
	dry, yes bool
}

func dlqDiscardCommand() command {
	return command{
		name: "dlq discard", about: "Give up dead letters, with a receipt.", more: dlqDiscardMore,
		flags: func(set *flag.FlagSet) action {
			f := &dlqDiscardFlags{}
			f.declare(set)
			f.filter.declareAll(set)
			set.BoolVar(&f.dry, "dry-run", false, "print what would be done, and do nothing")
			set.BoolVar(&f.yes, "yes", false, "do not ask")
			return f.run
		},
	}
}

func (f *dlqDiscardFlags) run(ctx context.Context, c call) error {
	filter, err := f.filter.parse()
	if err != nil {
		return err
	}
	if f.filter.none() {
		return fmt.Errorf("%w: say which: --letter, --topic, --class, --key or --since", errUsage)
	}
	return f.open(ctx, c, func(ctx context.Context, q *dlq.Queue) error {
		letters, err := q.Selected(ctx, filter)
		if err != nil {
			return err
		}
		return f.discard(ctx, c, q, letters)
	})
}

func (f *dlqDiscardFlags) discard(ctx context.Context, c call, q *dlq.Queue, letters []cache.DeadLetterRow) error {
	if f.dry || !f.yes {
		for _, l := range letters {
			fmt.Fprintf(c.stderr, "to discard: %s  %s  %s: %s\n", l.ID(), l.Key, l.Class, oneLine(l.Error))
		}
		fmt.Fprintf(c.stderr, "%d dead letters would be discarded\n", len(letters))
	}
	if f.dry || len(letters) == 0 {
		return nil
	}
	if !f.yes && !confirmed(c) {
		return fmt.Errorf("%w: nothing was discarded: --yes does it", errUsage)
	}
	return q.Discard(ctx, letters, func(e dlq.Entry) error { return f.receipt(c, e) }, func(e dlq.Entry) error {
		fmt.Fprintf(c.stderr, "%s got another state in the meantime\n", e.ID)
		return nil
	})
}

func (f *dlqDiscardFlags) receipt(c call, e dlq.Entry) error {
	if f.json {
		return c.printLine(e)
	}
	return c.printf("discarded at %s: %s  %s  seq %d  %s: %s\n",
		e.ChangedAt.UTC().Format(time.RFC3339), e.ID, e.Key, e.Seq, strings.TrimSpace(e.Class+" "+e.SQLState), oneLine(e.Error))
}

// confirmed asks the person at the terminal; without a terminal the answer is no.
func confirmed(c call) bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return false
	}
	fmt.Fprint(c.stderr, "discard them? Type yes: ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // an error means no
	return strings.TrimSpace(answer) == "yes"
}
