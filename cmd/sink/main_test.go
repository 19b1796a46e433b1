package main

import (
	"context"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"odastream/internal/test/kafkatest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sink": main})
}

// TestScripts is the binary's own specification, on the fake broker and a real
// Postgres. Commands beyond testscript's own:
//
//	publish N     N random changes to two entities
//	garbage N     N records that are no change
//	applied       wait until the cache is as what was published
//	rows SQL N    fail unless the query counts N
func TestScripts(t *testing.T) {
	t.Parallel()
	broker := kafkatest.Fake(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			r := newRig(t, broker)
			env.Values["rig"] = r
			env.Vars = append(env.Vars, r.environ()...)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"publish": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(of(ts).publish(context.Background(), number(ts, args, 0)))
			},
			"garbage": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(of(ts).garbage(context.Background(), number(ts, args, 0)))
			},
			"applied": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Check(of(ts).awaitModel(context.Background(), ts.BackgroundCmds()...))
			},
			"rows": func(ts *testscript.TestScript, _ bool, args []string) {
				var got int
				ts.Check(of(ts).pool.QueryRow(context.Background(), "SELECT count(*) FROM "+args[0]).Scan(&got))
				if got != number(ts, args, 1) {
					ts.Fatalf("%s has %d rows, want %s", args[0], got, args[1])
				}
			},
		},
	})
}

func of(ts *testscript.TestScript) *rig { return ts.Value("rig").(*rig) }

func number(ts *testscript.TestScript, args []string, i int) int {
	if i >= len(args) {
		ts.Fatalf("want %d arguments", i+1)
	}
	n, err := strconv.Atoi(args[i])
	ts.Check(err)
	return n
}
