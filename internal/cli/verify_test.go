package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// TestVerifyScripts compares what verify, scan and explain print, word for word.
func TestVerifyScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/verify",
		Setup: func(env *testscript.Env) error {
			w := &copied{sim: odasim.New(odasim.Options{}), url: pgtest.Migrated(t)}
			server := httptest.NewServer(w.sim)
			env.Defer(server.Close)
			env.Values["copied"] = w
			env.Setenv("ODA_URL", server.URL+odasim.Root)
			env.Setenv("ODA_RATE", "0")
			env.Setenv("ODA_ENTITIES", "Sagstype,Debat")
			env.Setenv("DATABASE_URL", w.url)
			env.Setenv("KAFKA_BROKERS", kafkatest.Fake(t)[0])
			env.Setenv("KAFKA_TOPIC_PREFIX", "script-")
			return w.fill(env.Getenv("KAFKA_BROKERS"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sql": runSQL, "edit": editRow, "printed": printed, "cut": cutTopic,
		},
	})
}

// copied is a simulated parliament with its copy.
type copied struct {
	sim *odasim.Server
	url string
}

// firstSeq is the seq of the first row, in 2023; the others follow.
const firstSeq = 1_700_000_000_000_000

// fill makes three rows of Sagstype, with ledger, cache and topic; the source has
// never had Debat.
func (w *copied) fill(broker string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var changes []schema.Change
	for id := int64(1); id <= 3; id++ {
		row := fmt.Appendf(nil, `{"id":%d,"type":"no. %d","opdateringsdato":"2023-03-01T10:00:00.123"}`, id, id)
		if err := w.sim.Put("Sagstype", row); err != nil {
			return err
		}
		hash, err := schema.ContentHash(row)
		if err != nil {
			return err
		}
		c := schema.Change{
			Entity: "Sagstype", ID: id, Action: schema.Snapshot, Seq: firstSeq + id, Timestamp: time.UnixMicro(firstSeq + id).UTC(),
			Opdateringsdato: "2023-03-01T10:00:00.123", Origin: schema.OriginSnapshot, Data: row,
		}
		changes = append(changes, c)
		_, err = conn.Exec(ctx, `INSERT INTO poller_ledger (entity_type, entity_id, seq, hash, stamp) VALUES ($1, $2, $3, $4, $5)`,
			c.Entity, c.ID, c.Seq, hash[:], c.Opdateringsdato)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, `INSERT INTO parliamentary_data (entity_type, entity_id, seq, data) VALUES ($1, $2, $3, $4)`, c.Entity, c.ID, c.Seq, row)
		if err != nil {
			return err
		}
	}
	if err := w.sim.SetMissing("Debat", true); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `INSERT INTO poller_watermarks (entity_type, watermark, loaded_at, consistent_through)
VALUES ('Sagstype', now(), now(), now())`); err != nil {
		return err
	}
	return publishAll(ctx, broker, changes)
}

// publishAll writes changes to the topic as a poller does.
func publishAll(ctx context.Context, broker string, changes []schema.Change) error {
	log := slog.New(slog.DiscardHandler)
	cfg := stream.Config{Brokers: []string{broker}, TopicPrefix: "script-", Partitions: 3}
	cl, err := stream.NewClient(cfg, log)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := stream.NewTopics(cl, cfg, log).Ensure(ctx, []string{"Sagstype"}); err != nil {
		return err
	}
	p, err := stream.NewPublisher(cfg, log, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = p.Publish(ctx, changes)
	return err
}

// runSQL TEXT changes the copy.
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sql TEXT")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, ts.Value("copied").(*copied).url)
	ts.Check(err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, args[0])
	ts.Check(err)
}

// cutTopic removes all records of the topic of Sagstype.
func cutTopic(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: cut")
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("KAFKA_BROKERS")))
	ts.Check(err)
	defer cl.Close()
	admin := kadm.NewClient(cl)
	ends, err := admin.ListEndOffsets(context.Background(), "script-sagstype")
	ts.Check(err)
	done, err := admin.DeleteRecords(context.Background(), ends.Offsets())
	ts.Check(err)
	ts.Check(done.Error())
}

// editRow ID VALUE changes the type of a Sagstype at the source, and keeps its stamp.
func editRow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: edit ID VALUE")
	}
	id, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	ts.Check(ts.Value("copied").(*copied).sim.Edit("Sagstype", id, "type", args[1]))
}

// printed FILE compares the last output with a file, with TIME in place of every
// time from 2024 on.
func printed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: printed FILE")
	}
	plain := func(text string) string {
		text = regexp.MustCompile(`20(2[4-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(text, "TIME")
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return strings.Join(lines, "\n")
	}
	want, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	got := plain(ts.ReadFile("stdout"))
	if diff := cmp.Diff(plain(string(want)), got); diff != "" {
		ts.Fatalf("printed (-want +got):\n%s\nall of it:\n%s", diff, got)
	}
}
