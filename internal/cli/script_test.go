package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/program"
	"odastream/internal/trial"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// scripts runs four scripts at once. It reads the test's flags only where tests are run:
// as the command odastream the same program has others.
type scripts struct{ m *testing.M }

// Run implements testscript.TestingM.
func (s scripts) Run() int {
	machine.Parallel("4")
	return s.m.Run()
}

func TestMain(m *testing.M) {
	testscript.Main(scripts{m}, map[string]func(){"odastream": func() {
		os.Exit(Run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}})
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
			"waitfor": waitFor, "look": look, "topics": holdTopics, "sigkill": sigkill,
		},
	})
}

// setup gives each script a state directory that the account of Postgres can enter
// ($STATE), and the address of a source that up did not start ($SOURCE).
func setup(env *testscript.Env) error {
	state, err := os.MkdirTemp("/tmp", "odastream-") // other accounts cannot enter a test's own directory
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

// loadLine is the line that up prints now and then during a load.
var loadLine = regexp.MustCompile(`[0-9]+/[0-9]+ entities.* in Postgres`)

// waitFor FILE PATTERN waits until a line of a file matches. It counts as progress if
// the file grows, or if up reports a load on stderr, in errN next to outN.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	var text []byte
	load := func() (last string) {
		said, _ := os.ReadFile(ts.MkAbs(strings.Replace(args[0], "out", "err", 1)))
		for _, line := range loadLine.FindAll(said, -1) {
			last = string(line)
		}
		return last
	}
	wait := machine.Wait{
		For:      fmt.Sprintf("%s to match %q", args[0], args[1]),
		Progress: func() any { return fmt.Sprint(len(text), load()) },
		Details:  func() string { return fmt.Sprintf("last load: %s\n%s holds:\n%s", load(), args[0], text) },
	}
	ts.Check(program.Script(wait, ts.BackgroundCmds(), func() (bool, error) {
		text, _ = os.ReadFile(path) // it may not exist yet
		return pattern.Match(text), nil
	}))
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
	cmd := exec.CommandContext(context.Background(), "sh", "-c", strings.TrimSpace(line)+` -Atc "$SQL"`) //nolint:gosec // the line is what is tested
	// The environment's settings of Postgres must not affect the line.
	cmd.Env = append(os.Environ(), "SQL="+args[1], "PGHOST=nowhere", "PGPORT=1", "PGUSER=nobody", "PGDATABASE=none")
	out, err := cmd.CombinedOutput()
	if err != nil {
		ts.Fatalf("%s: %v\n%s", line, err, out)
	}
	if ok, err := regexp.Match("^"+args[2]+"$", bytes.TrimSpace(out)); err != nil || !ok {
		ts.Fatalf("%s\ngave %s, want %s (%v)", args[1], out, args[2], err)
	}
}

// holdTopics STATEDIR FILE [FORMER] reads all topics of the running up and writes the
// ids of their snapshot records, in order. It fails if a topic has a change twice, or a
// snapshot that FORMER does not have: compaction only removes records, and only
// publishing adds one, with another seq.
func holdTopics(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: topics STATEDIR FILE [FORMER]")
	}
	snapshots, twice, err := snapshotsOf(context.Background(), readPlace(ts, args[0]).Brokers)
	ts.Check(err)
	if len(twice) > 0 {
		ts.Fatalf("published twice:\n%s", strings.Join(twice, "\n"))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(snapshots, "\n")+"\n"), 0o600))
	if len(args) < 3 {
		return
	}
	former := strings.Fields(ts.ReadFile(args[2]))
	for _, id := range snapshots {
		if _, had := slices.BinarySearch(former, id); !had {
			ts.Fatalf("%s is a snapshot that was not there before", id)
		}
	}
}

// readPlace reads the file in which the running up announces itself.
func readPlace(ts *testscript.TestScript, dir string) (place trial.Place) {
	text, err := os.ReadFile(filepath.Join(dir, "up.json"))
	ts.Check(err)
	ts.Check(json.Unmarshal(text, &place))
	return place
}

// snapshotsOf returns the ids of the snapshot records of all entity topics, sorted, and
// the changes that occur twice, with the same key and content.
func snapshotsOf(ctx context.Context, broker string) (snapshots, twice []string, err error) {
	cfg := stream.Config{Brokers: []string{broker}, TopicPrefix: trial.TopicPrefix}
	quiet := slog.New(slog.DiscardHandler)
	cl, err := stream.NewClient(cfg, quiet)
	if err != nil {
		return nil, nil, err
	}
	defer cl.Close()
	topics, seen := stream.NewTopics(cl, cfg, quiet), map[string]bool{}
	for _, e := range schema.Entities() {
		_, err := topics.ReadLog(ctx, e.Name, nil, func(records []*kgo.Record) error {
			for _, r := range records {
				m, err := stream.Decode(r)
				if err != nil {
					return err
				}
				if m.Change.Action == schema.Snapshot {
					snapshots = append(snapshots, m.Change.EventID())
				}
				content := string(r.Key) + " " + string(m.Change.Data)
				if seen[content] {
					twice = append(twice, content)
				}
				seen[content] = true
			}
			return nil
		})
		if err != nil && !errors.Is(err, stream.ErrNoTopic) {
			return nil, nil, err
		}
	}
	slices.Sort(snapshots)
	return snapshots, twice, nil
}

// sigkill STATEDIR kills the running up, as in a crash, and waits until it has ended.
func sigkill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sigkill STATEDIR")
	}
	process, err := os.FindProcess(readPlace(ts, args[0]).PID)
	ts.Check(err)
	ts.Check(process.Kill())
}
