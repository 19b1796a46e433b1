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
)

const dlqDiscardMore = dlqMore + `

It marks dead letters as discarded, with the moment, and prints each as a receipt: the row of dead_letters stays, and the
record stays in the topic as long as that keeps it. The cache is not changed. It asks first, or wants --yes.`

// discarding is the command line of dlq discard.
type discarding struct {
	letterChoice
	yes bool
}

func dlqDiscardCommand() command {
	return command{
		name: "dlq discard", about: "Give dead letters up, with a receipt.", more: dlqDiscardMore,
		flags: func(set *flag.FlagSet) action {
			f := &discarding{}
			f.declare(set)
			set.BoolVar(&f.yes, "yes", false, "do not ask")
			return f.run
		},
	}
}

func (f *discarding) run(ctx context.Context, c call) error {
	filter, err := f.choice(cache.LetterOpen, cache.LetterSuperseded)
	if err != nil {
		return err
	}
	if f.at == "" && f.topic == "" && f.class == "" && f.key == "" && f.since == "" {
		return fmt.Errorf("%w: say which: --letter, --topic, --class, --key or --since", errUsage)
	}
	return f.open(ctx, c, func(ctx context.Context, b *letterbox) error {
		letters, err := b.Letters(ctx, filter)
		if err != nil {
			return err
		}
		return f.discard(ctx, c, b, letters)
	})
}

func (f *discarding) discard(ctx context.Context, c call, b *letterbox, letters []cache.Letter) error {
	if f.dry || !f.yes {
		for _, l := range letters {
			fmt.Fprintf(c.stderr, "to discard: %s  %s  %s: %s\n", l.Where(), l.Key, l.Class, oneLine(l.Error))
		}
		fmt.Fprintf(c.stderr, "%d dead letters would be discarded\n", len(letters))
	}
	if f.dry || len(letters) == 0 {
		return nil
	}
	if !f.yes && !confirmed(c) {
		return fmt.Errorf("%w: nothing was discarded: --yes does it", errUsage)
	}
	for _, l := range letters {
		when, settled, err := b.Settle(ctx, l.Where(), cache.LetterDiscarded)
		if err != nil {
			return err
		}
		if !settled {
			fmt.Fprintf(c.stderr, "%s was settled otherwise in the meantime\n", l.Where())
			continue
		}
		l.State, l.ChangedAt = cache.LetterDiscarded, when
		if err := f.receipt(c, l); err != nil {
			return err
		}
	}
	return nil
}

func (f *discarding) receipt(c call, l cache.Letter) error {
	if f.json {
		return jsonLine(c.stdout, lineOf(l))
	}
	_, err := fmt.Fprintf(c.stdout, "discarded at %s: %s  %s  seq %d  %s: %s\n",
		l.ChangedAt.UTC().Format(time.RFC3339), l.Where(), l.Key, l.Seq, strings.TrimSpace(l.Class+" "+l.SQLState), oneLine(l.Error))
	return err
}

// confirmed asks the person at the terminal; where there is none the answer is no.
func confirmed(c call) bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return false
	}
	fmt.Fprint(c.stderr, "discard them? Type yes: ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no answer is no
	return strings.TrimSpace(answer) == "yes"
}
