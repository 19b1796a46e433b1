package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"odastream/cache"
	"odastream/stream"
)

// showing is the command line of dlq show.
type showing struct{ letterFlags }

func dlqShowCommand() command {
	return command{
		name: "dlq show", args: "LETTER", about: "Show one record that could not be applied, why, and what would mend it.", more: dlqMore,
		flags: func(set *flag.FlagSet) action {
			f := &showing{}
			f.declare(set)
			return f.run
		},
	}
}

// shownLetter is a dead letter with its record.
type shownLetter struct {
	letterLine
	Mend string `json:"mend"`
	// What follows is absent where the topic does not hold the record any more.
	Headers []shownHeader   `json:"headers,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"` // as it is, or as a string where it is no JSON; absent: a tombstone
	Size    int             `json:"size,omitempty"`  // bytes of the whole value
	Cut     bool            `json:"cut,omitempty"`   // only the value's beginning was kept
	Missing string          `json:"missing,omitempty"`
}

type shownHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (f *showing) run(ctx context.Context, c call) error {
	where, err := parseLetter(c.args[0])
	if err != nil {
		return err
	}
	return f.open(ctx, c, func(ctx context.Context, b *letterbox) error {
		shown, err := show(ctx, b, where)
		if err != nil {
			return err
		}
		if f.json {
			return jsonLine(c.stdout, shown)
		}
		return shown.print(c.stdout)
	})
}

// show finds a letter in the table and its record in the topic; one of the
// poller's is in the topic alone, and is named by its place there.
func show(ctx context.Context, b *letterbox, where cache.TopicPartitionOffset) (shownLetter, error) {
	if topic, own := strings.CutSuffix(where.Topic, ".dlq"); own {
		return showOwn(ctx, b, topic, where)
	}
	letters, err := b.Letters(ctx, cache.LetterFilter{At: &where})
	if err != nil {
		return shownLetter{}, err
	}
	if len(letters) == 0 {
		return shownLetter{}, fmt.Errorf("there is no dead letter %s: odastream dlq list --all shows what there is", where)
	}
	s := shownLetter{letterLine: lineOf(letters[0]), Mend: mend(letters[0].Class, letters[0].SQLState)}
	l, ok, err := b.find(ctx, where.Topic, func(l stream.StoredLetter) bool {
		return l.HasOffset && originOf(l) == where && letters[0].Tells(l.Record.Key)
	})
	switch {
	case errors.Is(err, stream.ErrNoTopic), err == nil && !ok:
		s.Missing = "the topic " + where.Topic + ".dlq does not hold the record any more"
	case err != nil:
		s.Missing = err.Error()
	default:
		s.record(l)
	}
	return s, ctx.Err()
}

// showOwn finds a letter by its own place in the dead-letter topic.
func showOwn(ctx context.Context, b *letterbox, topic string, where cache.TopicPartitionOffset) (shownLetter, error) {
	l, ok, err := b.find(ctx, topic, func(l stream.StoredLetter) bool { return l.Partition == where.Partition && l.Offset == where.Offset })
	if err != nil {
		return shownLetter{}, err
	}
	if !ok {
		return shownLetter{}, fmt.Errorf("there is no dead letter %s", where)
	}
	s := shownLetter{letterLine: letterLine{
		Letter: where.String(), Key: string(l.Record.Key), Class: string(l.Class), SQLState: l.SQLState, State: statePoller,
		Seq: stream.EventSeq(l.Record), FailedAt: l.FailedAt.UTC(), Error: l.Err,
	}}
	if l.HasOffset {
		s.State = "see " + originOf(l).String()
	}
	s.record(l)
	return s, nil
}

// record adds what the topic holds.
func (s *shownLetter) record(l stream.StoredLetter) {
	s.Size, s.Cut = l.Size, l.Cut()
	s.Mend = mend(s.Class, s.SQLState)
	for _, h := range l.Record.Headers {
		s.Headers = append(s.Headers, shownHeader{h.Key, string(h.Value)})
	}
	switch value := l.Record.Value; {
	case value == nil:
	case utf8.Valid(value) && json.Valid(value):
		s.Value = value
	default:
		s.Value, _ = json.Marshal(string(value)) // a string can always be encoded
	}
}

func (s *shownLetter) print(out io.Writer) error {
	for _, line := range [][2]string{
		{"letter", s.Letter},
		{"key", s.Key},
		{"state", s.State},
		{"class", strings.TrimSpace(s.Class + " " + s.SQLState)},
		{"failed", s.FailedAt.Format("2006-01-02 15:04:05 MST")},
		{"why", s.Error},
		{"mend", s.Mend},
		{"version", s.versions()},
		{"missing", s.Missing},
	} {
		if line[1] != "" {
			fmt.Fprintf(out, "%-8s  %s\n", line[0], line[1])
		}
	}
	for _, h := range s.Headers {
		fmt.Fprintf(out, "header    %s: %s\n", h.Name, h.Value)
	}
	if s.Missing != "" {
		return nil
	}
	_, err := fmt.Fprintf(out, "value     %s\n", s.value())
	return err
}

func (s *shownLetter) versions() string {
	switch {
	case s.Seq == 0:
		return ""
	case s.Held == 0:
		return fmt.Sprintf("seq %d", s.Seq)
	}
	return fmt.Sprintf("seq %d, the cache holds %d", s.Seq, s.Held)
}

// value is the record's value for people.
func (s *shownLetter) value() string {
	if s.Value == nil {
		return "none: it is a tombstone"
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, s.Value, "          ", "  "); err != nil {
		return string(s.Value)
	}
	if s.Cut {
		fmt.Fprintf(&pretty, "\n          … (cut: it had %d bytes)", s.Size)
	}
	return pretty.String()
}

// mend says what would make a record applicable.
func mend(class, sqlstate string) string {
	switch {
	case class == string(stream.ClassTooLarge):
		return "raise max.message.bytes of the topic above the size of the record; the next scan publishes the row. Only its beginning was kept: a retry has nothing to apply"
	case class == string(stream.ClassDecode):
		return "see who else writes to the topic: the poller writes no such record. Nothing here can apply it: odastream dlq discard"
	case class == string(stream.ClassSchema):
		return "if a newer poller wrote it, upgrade the sink and odastream dlq retry; else see who writes to the topic, and discard it"
	case sqlstate == "22P05", sqlstate == "22021":
		return "Postgres cannot store a character of the row. Once the source mends the row, the newer version supersedes this one"
	case strings.HasPrefix(sqlstate, "23"):
		return "a constraint refuses the row, and odastream's own tables have none that would: drop the one that the error names, and odastream dlq retry"
	case sqlstate == "54000":
		return "the row is beyond a limit of Postgres; if the error names an index, drop it or set CACHE_GIN=off, and odastream dlq retry"
	}
	return "see the error; once its cause is gone, odastream dlq retry. A newer version from the source supersedes this one"
}
