package apply_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/test/faultproxy"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// triesInTenMinutes is how often a sink tries in ten minutes: after 0.25, 0.5, 1, …
// 16 seconds, then every 15 to 30. An outage in these tests lasts that many tries, with
// shorter waits.
const triesInTenMinutes = 32

// outage is a way in which writes to the database fail although no record is at fault.
type outage struct {
	// begin starts the outage, and end ends it.
	begin, end func(r *rig, o *ordinary)
	// says is what /readyz shows of it: the SQLSTATE where Postgres gave one.
	says string
}

// ordinary is a database user without special rights, as a sink should have, and the
// sink's way to the database.
type ordinary struct {
	name  string
	proxy *faultproxy.Proxy
}

func outages() map[string]outage {
	return map[string]outage{
		"refuses connections": {
			begin: func(r *rig, _ *ordinary) { r.admin("ALTER DATABASE %d ALLOW_CONNECTIONS false"); r.admin(cutOff) },
			end:   func(r *rig, _ *ordinary) { r.admin("ALTER DATABASE %d ALLOW_CONNECTIONS true") },
			says:  "55000",
		},
		"has no connection left": {
			begin: func(r *rig, o *ordinary) { r.admin("ALTER ROLE " + o.name + " CONNECTION LIMIT 0"); r.admin(cutOff) },
			end:   func(r *rig, o *ordinary) { r.admin("ALTER ROLE " + o.name + " CONNECTION LIMIT -1") },
			says:  "53300",
		},
		// The test cannot fill the disk: a trigger raises Postgres's error for a file that
		// cannot grow, with the same SQLSTATE.
		"is out of disk space": {
			begin: func(r *rig, _ *ordinary) { r.sabotage("53100", "could not extend file: No space left on device") },
			end:   func(r *rig, _ *ordinary) { r.admin("DROP TRIGGER sabotage ON parliamentary_data") },
			says:  "53100",
		},
		"fails with an unknown SQLSTATE": {
			begin: func(r *rig, _ *ordinary) { r.sabotage("ZZ999", "something else") },
			end:   func(r *rig, _ *ordinary) { r.admin("DROP TRIGGER sabotage ON parliamentary_data") },
			says:  "ZZ999",
		},
		"is read-only": {
			begin: func(r *rig, _ *ordinary) {
				r.admin("ALTER DATABASE %d SET default_transaction_read_only = on")
				r.admin(cutOff)
			},
			end: func(r *rig, _ *ordinary) {
				// As after a failover: there are only new sessions.
				r.admin("SET default_transaction_read_only = off; ALTER DATABASE %d RESET default_transaction_read_only")
				r.admin(cutOff)
			},
			says: "25006",
		},
		"grants no privilege": {
			begin: func(r *rig, o *ordinary) {
				r.admin("REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM " + o.name)
			},
			end:  func(r *rig, o *ordinary) { r.grant(o.name) },
			says: "42501",
		},
		"is away": {
			begin: func(_ *rig, o *ordinary) { o.proxy.Down() },
			end: func(r *rig, o *ordinary) {
				if err := o.proxy.Up(r.t.Context()); err != nil {
					r.t.Fatal(err)
				}
			},
			says: "connect",
		},
	}
}

// Invariant 6, with ten minutes of tries: during any outage the sink dead-letters
// nothing, stays in its group and reports why; afterwards it catches up.
func TestTenMinutesWithoutADatabaseDeadLetterNothing(t *testing.T) {
	t.Parallel()
	for claim, o := range outages() {
		t.Run("the database "+claim, func(t *testing.T) {
			t.Parallel()
			session := machine.AtLeast(time.Second)
			cluster := kafkatest.Cluster(t, kfake.GroupMinSessionTimeout(time.Second))
			r := newRig(t, cluster.ListenAddrs(), "Sag", "Aktør")
			user := r.ordinary()
			reg := prometheus.NewRegistry()
			s := r.sinkOf(r.as(user), reg, kgo.SessionTimeout(session), kgo.HeartbeatInterval(session/5))
			stop := r.run(s)
			r.publish(200)
			r.awaitModel()
			before := members(cluster, r.config().Group)
			tries := sum(t, reg, "odastream_sink_retries_total")
			o.begin(r, user)
			began := time.Now()
			r.publish(300)
			r.await("as many tries as in ten minutes, and two sessions", func() bool {
				return sum(t, reg, "odastream_sink_retries_total") >= tries+triesInTenMinutes && time.Since(began) > 2*session
			})
			r.checkSaysWhy(s, o.says)
			if got := members(cluster, r.config().Group); !slices.Equal(got, before) {
				t.Errorf("members of the group after the outage = %v, before %v", got, before)
			}
			r.publish(100)
			o.end(r, user)
			r.awaitModel()
			r.await("readiness", func() bool { ok, _ := s.Ready(); return ok })
			if got := r.dead(); got != "" {
				t.Errorf("dead letters of an outage:\n%s", got)
			}
			if got := r.letters("Sag"); len(got) > 0 {
				t.Errorf("dead letters on the topic: %v", got)
			}
			if err := stop(); err != nil {
				t.Errorf("Run ended with %v", err)
			}
		})
	}
}

// A sink with nothing to write asks now and then, so that the next record is not the
// first to find the trouble.
func TestAnIdleSinkIsNotReadyWithoutADatabase(t *testing.T) {
	t.Parallel()
	for claim, o := range outages() {
		t.Run("the database "+claim, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kafkatest.Cluster(t).ListenAddrs(), "Sag")
			user := r.ordinary()
			s := r.sinkOf(r.as(user), prometheus.NewRegistry())
			apply.LookEvery(s, 20*time.Millisecond)
			stop := r.run(s)
			r.publish(20)
			r.awaitModel()
			r.await("readiness", func() bool { ok, _ := s.Ready(); return ok })
			o.begin(r, user)
			r.checkSaysWhy(s, o.says)
			o.end(r, user)
			r.await("readiness after the outage", func() bool { ok, _ := s.Ready(); return ok })
			if err := stop(); err != nil {
				t.Errorf("Run ended with %v", err)
			}
		})
	}
}

// checkSaysWhy fails unless the sink is not ready and gives a reason with says in it.
func (r *rig) checkSaysWhy(s *apply.Sink, says string) {
	r.t.Helper()
	var status apply.Status
	r.await("the reason to show", func() bool {
		ok, detail := s.Ready()
		status = detail.(apply.Status)
		reasons := status.Reason
		for _, topic := range status.Topics {
			for _, p := range topic.Partitions {
				reasons += " " + p.Reason
			}
		}
		return !ok && strings.Contains(reasons, says)
	})
}

// members are the ids of a group's members and its generation.
func members(cluster *kfake.Cluster, group string) []string {
	info := cluster.GroupInfo(group)
	ids := []string{fmt.Sprint("generation ", info.Epoch)}
	for _, m := range info.Members {
		ids = append(ids, m.MemberID)
	}
	return ids
}

// sinkOf is a sink with waits short enough for a test.
func (r *rig) sinkOf(url string, reg prometheus.Registerer, opts ...kgo.Opt) *apply.Sink {
	r.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	store := cache.New(r.connect(url), r.config().Group, cache.Config{GIN: "off"}, quiet)
	s := apply.New(r.config(), r.kafka, r.parts(store), quiet, reg, opts...)
	apply.Hurry(s)
	return s
}

// cutOff ends every session of the database but the admin's.
const cutOff = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%d' AND pid <> pg_backend_pid()"

// admin runs a statement as a superuser, connected to another database than the
// test's; %d is the name of the test's database.
func (r *rig) admin(sql string) {
	r.t.Helper()
	cfg, err := pgx.ParseConfig(r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	name := cfg.Database
	if strings.Contains(sql, "ALTER DATABASE") || sql == cutOff {
		cfg.Database = "postgres"
	}
	conn, err := pgx.ConnectConfig(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(r.t.Context())) }()
	if _, err := conn.Exec(r.t.Context(), strings.ReplaceAll(sql, "%d", name)); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// sabotage makes each write of rows fail.
func (r *rig) sabotage(sqlstate, text string) {
	r.t.Helper()
	r.admin(fmt.Sprintf(`CREATE OR REPLACE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%s' USING ERRCODE = '%s'; END $$;
CREATE TRIGGER sabotage BEFORE INSERT OR UPDATE OR DELETE ON parliamentary_data FOR EACH STATEMENT EXECUTE FUNCTION sabotage()`, text, sqlstate))
}

// ordinary makes a user with only the rights that a sink needs; the test's end removes
// it.
func (r *rig) ordinary() *ordinary {
	r.t.Helper()
	o := &ordinary{name: "test_" + strings.ToLower(rand.Text()[:12]), proxy: faultproxy.New(r.t, r.server())}
	r.admin("CREATE ROLE " + o.name + " LOGIN")
	r.t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), r.url)
		if err != nil {
			r.t.Errorf("drop role: %v", err)
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		if _, err := conn.Exec(context.Background(), "DROP OWNED BY "+o.name+" CASCADE; DROP ROLE "+o.name); err != nil {
			r.t.Errorf("drop role: %v", err)
		}
	})
	r.grant(o.name)
	return o
}

func (r *rig) grant(user string) {
	r.t.Helper()
	r.admin("GRANT USAGE, CREATE ON SCHEMA public TO " + user + "; GRANT ALL ON ALL TABLES IN SCHEMA public TO " + user +
		"; GRANT TEMPORARY ON DATABASE %d TO " + user)
}

// as is the database's URL for a user, through the user's proxy.
func (r *rig) as(o *ordinary) string {
	r.t.Helper()
	u, err := url.Parse(r.through(o.proxy.Addr()))
	if err != nil {
		r.t.Fatal(err)
	}
	u.User = url.User(o.name)
	q := u.Query()
	q.Del("user")
	u.RawQuery = q.Encode()
	return u.String()
}
