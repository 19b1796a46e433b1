package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/program"
	"odastream/odasim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"poller": main})
}

// TestScripts is the binary's own specification, on the fake broker, a real
// Postgres and a simulated parliament. Commands beyond testscript's own:
//
//	put SET JSON     a row at the source
//	missing SET      the source answers 404 for a set
//	records TOPIC N  wait for N records of a topic and print them, key and value
func TestScripts(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Fake(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			sim := odasim.New(odasim.Options{})
			sim.SetNow(time.Date(2026, 11, 23, 15, 10, 0, 0, time.UTC))
			source := httptest.NewServer(sim)
			page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "<html>Vedligeholdelse</html>")
			}))
			env.Defer(source.Close)
			env.Defer(page.Close)
			env.Values["sim"], env.Values["brokers"] = sim, brokers
			prefix := kafkatest.Prefix(t)
			env.Values["prefix"] = prefix
			env.Vars = append(env.Vars,
				"DATABASE_URL="+pgtest.Empty(t), "KAFKA_BROKERS="+strings.Join(brokers, ","), "KAFKA_TOPIC_PREFIX="+prefix,
				"ODA_URL="+source.URL+"/api", "ODA_RATE=0", "ODA_ENTITIES=Sag,Aktør", "HTTP_ADDR=", "PREFIX="+prefix, "HTML="+page.URL)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"put": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(ts.Value("sim").(*odasim.Server).Put(args[0], []byte(args[1])))
			},
			"missing": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(ts.Value("sim").(*odasim.Server).SetMissing(args[0], true))
			},
			"records": records,
		},
	})
}

// records waits for the topic's first records, so that a script compares all that
// was published up to there.
func records(ts *testscript.TestScript, _ bool, args []string) {
	var want int
	if _, err := fmt.Sscan(args[1], &want); err != nil {
		ts.Fatalf("records: %v", err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(ts.Value("brokers").([]string)...),
		kgo.ConsumeTopics(ts.Value("prefix").(string)+args[0]), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ts.Check(err)
	defer cl.Close()
	var got []*kgo.Record
	wait := machine.Wait{
		For:      fmt.Sprintf("%d records of %s", want, args[0]),
		Progress: func() any { return len(got) },
		Details:  func() string { return fmt.Sprintf("it holds %d", len(got)) },
	}
	ts.Check(program.Script(wait, ts.BackgroundCmds(), func() (bool, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		got = append(got, cl.PollFetches(ctx).Records()...)
		return len(got) >= want, nil
	}))
	for _, rec := range got {
		fmt.Fprintf(ts.Stdout(), "%s %s\n", rec.Key, rec.Value)
	}
	if len(got) > want {
		ts.Fatalf("records: %s holds %d records, want %d", args[0], len(got), want)
	}
}
