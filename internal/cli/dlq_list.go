package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"odastream/cache"
	"odastream/stream"
)

const dlqListMore = dlqMore + `

Without --all only those that are open or superseded: the cache holds that version of the key, or a newer one. What has
become superseded is stored as such. With --topic the poller's own are shown as well, which are in the topic TOPIC.dlq
alone: rows that could not be published.`

// statePoller stands for the state of a letter that the table does not have.
const statePoller = "poller's"

// listing is the command line of dlq list.
type listing struct {
	letterFlags
	age time.Duration
	all bool
}

func dlqListCommand() command {
	return command{
		name: "dlq list", about: "List the records that could not be applied.", more: dlqListMore,
		flags: func(set *flag.FlagSet) action {
			f := &listing{}
			f.declare(set)
			f.declareFilter(set)
			set.DurationVar(&f.age, "age", 0, "only those that failed `longer` ago than this, such as 24h")
			set.BoolVar(&f.all, "all", false, "those as well that were retried or discarded")
			return f.run
		},
	}
}

// letterLine is a dead letter as list prints it.
type letterLine struct {
	Letter    string    `json:"letter"`
	Key       string    `json:"key"`
	Class     string    `json:"class"`
	SQLState  string    `json:"sqlstate,omitempty"`
	State     string    `json:"state"`
	Seq       int64     `json:"seq,omitempty"`
	Held      int64     `json:"cache_seq,omitempty"`
	FailedAt  time.Time `json:"failed_at"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
	Error     string    `json:"error"`
}

func (f *listing) run(ctx context.Context, c call) error {
	states := []cache.LetterState{cache.LetterOpen, cache.LetterSuperseded}
	if f.all {
		states = nil
	}
	filter, err := f.filter(states...)
	if err != nil {
		return err
	}
	if f.age < 0 {
		return fmt.Errorf("%w: --age is %s, want 0s or more", errUsage, f.age)
	}
	filter.Before = time.Now().Add(-f.age)
	return f.open(ctx, c, func(ctx context.Context, b *letterbox) error {
		lines, err := f.lines(ctx, b, filter)
		if err != nil {
			return err
		}
		if f.json {
			for _, l := range lines {
				if err := jsonLine(c.stdout, l); err != nil {
					return err
				}
			}
			return nil
		}
		return printLetters(c.stdout, lines, time.Now())
	})
}

func (f *listing) lines(ctx context.Context, b *letterbox, filter cache.LetterFilter) ([]letterLine, error) {
	if _, err := b.SettleSuperseded(ctx); err != nil {
		return nil, err
	}
	letters, err := b.Letters(ctx, filter)
	if err != nil {
		return nil, err
	}
	var lines []letterLine
	for _, l := range letters {
		lines = append(lines, lineOf(l))
	}
	if filter.Topic == "" {
		return lines, nil
	}
	own, err := pollers(ctx, b, filter)
	if err != nil {
		b.log.WarnContext(ctx, "the poller's own dead letters are not shown", "err", err)
	}
	return append(lines, own...), ctx.Err()
}

func lineOf(l cache.Letter) letterLine {
	return letterLine{
		Letter: l.Where().String(), Key: l.Key, Class: l.Class, SQLState: l.SQLState, State: string(l.State), Seq: l.Seq, Held: l.Held,
		FailedAt: l.FailedAt.UTC(), ChangedAt: l.ChangedAt.UTC(), Error: l.Error,
	}
}

// pollers lists the letters of a topic whose records never were on it.
func pollers(ctx context.Context, b *letterbox, filter cache.LetterFilter) (lines []letterLine, err error) {
	err = b.read(ctx, filter.Topic, func(l stream.StoredLetter) error {
		if l.HasOffset || filter.Class != "" && filter.Class != string(l.Class) ||
			filter.Key != "" && filter.Key != string(l.Record.Key) || !l.FailedAt.Before(filter.Before) {
			return nil
		}
		lines = append(lines, letterLine{
			Letter: recordAt(filter.Topic+".dlq", l.Partition, l.Offset).String(), Key: string(l.Record.Key), Class: string(l.Class),
			State: statePoller, Seq: stream.EventSeq(l.Record), FailedAt: l.FailedAt.UTC(), Error: l.Err,
		})
		return nil
	})
	if errors.Is(err, stream.ErrNoTopic) {
		return nil, nil
	}
	return lines, err
}

// printLetters writes a table, and how many there are of each state.
func printLetters(out io.Writer, lines []letterLine, now time.Time) error {
	if len(lines) == 0 {
		fmt.Fprintln(out, "no dead letters")
		return nil
	}
	count := map[string]int{}
	table := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LETTER\tKEY\tCLASS\tSTATE\tAGE\tERROR")
	for _, l := range lines {
		count[l.State]++
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Letter, oneLine(cmp.Or(l.Key, "-")), l.Class, l.State, age(now.Sub(l.FailedAt)), oneLine(l.Error))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	fmt.Fprintf(out, "%d dead letters: %d open, %d superseded\n", len(lines), count[string(cache.LetterOpen)], count[string(cache.LetterSuperseded)])
	return nil
}

// age is a duration in its largest whole unit.
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
