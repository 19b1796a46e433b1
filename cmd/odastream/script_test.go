package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/pgtest"
	"odastream/internal/trial"
	"odastream/odasim"
	"odastream/stream"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"odastream": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EMPTY", pgtest.Empty(t))
			return setup(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfor": waitFor, "look": look, "topics": countTopics, "sigkill": sigkill,
		},
	})
}

// setup gives each script a state directory that the account of Postgres can
// enter ($STATE), and the address of a source that is none of up's own
// ($SOURCE).
func setup(env *testscript.Env) error {
	state, err := os.MkdirTemp("/tmp", "odastream-") // a test's own is closed to other accounts
	if err != nil {
		return err
	}
	env.Defer(func() { _ = os.RemoveAll(state) })
	if err := os.Chmod(state, 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	sim := odasim.New(odasim.Options{})
	sim.Generate(3, 0.02)
	source := httptest.NewServer(sim)
	env.Defer(source.Close)
	env.Setenv("STATE", state)
	env.Setenv("SOURCE", source.URL+odasim.Root)
	return nil
}

// patience bounds every wait of a script; two busy cores need most of it.
const patience = 90 * time.Second

// waitFor FILE PATTERN waits until a line of a file matches.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		text, _ := os.ReadFile(path) // it may not be there yet
		if pattern.Match(text) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s does not match %q:\n%s", args[0], args[1], text)
		}
	}
}

// look FILE SQL WANT runs a query by the psql line that up printed into FILE, as
// a person would who pastes it into a shell.
func look(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: look FILE SQL WANT")
	}
	line := regexp.MustCompile(`(?m)^  (psql .*|/.*/psql .*)$`).FindString(ts.ReadFile(args[0]))
	if line == "" {
		ts.Fatalf("no psql line in %s", args[0])
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", strings.TrimSpace(line)+` -Atc "$SQL"`) //nolint:gosec // the line is what is tested
	// A person's own settings of Postgres must not lead the line astray.
	cmd.Env = append(os.Environ(), "SQL="+args[1], "PGHOST=nowhere", "PGPORT=1", "PGUSER=nobody", "PGDATABASE=none")
	out, err := cmd.CombinedOutput()
	if err != nil {
		ts.Fatalf("%s: %v\n%s", line, err, out)
	}
	if ok, err := regexp.Match("^"+args[2]+"$", bytes.TrimSpace(out)); err != nil || !ok {
		ts.Fatalf("%s\ngave %s, want %s (%v)", args[1], out, args[2], err)
	}
}

// countTopics STATEDIR FILE reads all topics of the running up and writes how
// many snapshot records they hold, and every record that is there twice.
func countTopics(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: topics STATEDIR FILE")
	}
	text, err := os.ReadFile(filepath.Join(args[0], "up.json"))
	ts.Check(err)
	var place trial.Place
	ts.Check(json.Unmarshal(text, &place))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen, err := recordsOf(ctx, place.Brokers)
	ts.Check(err)
	var out strings.Builder
	snapshots := 0
	for id, r := range seen {
		if r.action == "dk.ft.oda.snapshot" {
			snapshots++
		}
		if r.n > 1 {
			fmt.Fprintf(&out, "%s: %d times\n", id, r.n)
		}
	}
	fmt.Fprintf(&out, "%d snapshots\n", snapshots)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o600))
}

type seenRecord struct {
	action string
	n      int
}

// recordsOf gives the records of all entity topics by their content: two with
// one content are one change published twice.
func recordsOf(ctx context.Context, broker string) (map[string]seenRecord, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]seenRecord{}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	reader, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeRegex(), kgo.ConsumeTopics("^parliament-"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for left > 0 {
		fetches := reader.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%d records not read: %w", left, err)
		}
		for _, r := range fetches.Records() {
			left--
			if m, err := stream.Decode(r); err == nil {
				id := fmt.Sprintf("%s %s", r.Key, m.Change.Data)
				one := seen[id]
				seen[id] = seenRecord{typeOf(r), one.n + 1}
			}
		}
	}
	return seen, nil
}

func typeOf(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == "ce_type" {
			return string(h.Value)
		}
	}
	return ""
}

// sigkill STATEDIR ends the running up as a crash would, and waits until it is
// gone.
func sigkill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sigkill STATEDIR")
	}
	text, err := os.ReadFile(filepath.Join(args[0], "up.json"))
	ts.Check(err)
	var place trial.Place
	ts.Check(json.Unmarshal(text, &place))
	process, err := os.FindProcess(place.PID)
	ts.Check(err)
	ts.Check(process.Kill())
}
