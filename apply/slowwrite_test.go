package apply_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// slowWrites makes every write to the cache last until the table slow has no row.
const slowWrites = `CREATE TABLE slow (); INSERT INTO slow DEFAULT VALUES;
CREATE FUNCTION wait_while_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    WHILE EXISTS (SELECT FROM slow) LOOP PERFORM pg_sleep(0.05); END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER slow BEFORE INSERT ON parliamentary_data FOR EACH STATEMENT EXECUTE FUNCTION wait_while_slow()`

// A write to Postgres that takes longer than the session timeout costs no member its
// membership: a sink sends heartbeats while it writes, and one that joins meanwhile gets
// its share without waiting for the write.
func TestAWriteLongerThanTheSessionEvictsNoMember(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		brokers func(t *testing.T) []string
		session time.Duration // the shortest that the broker allows; longer on a slow machine
	}{
		"fake": {func(t *testing.T) []string {
			t.Helper()
			return kafkatest.Fake(t, kfake.GroupMinSessionTimeout(time.Second))
		}, time.Second},
		"real": {func(t *testing.T) []string { t.Helper(); return kafkatest.Real(t) }, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.brokers(t), "Sag", "Aktør")
			length := machine.AtLeast(c.session)
			session := []kgo.Opt{kgo.SessionTimeout(length), kgo.HeartbeatInterval(length / 5), kgo.RebalanceTimeout(length)}
			patient := r.url + "&statement_timeout=0" // or Postgres ends the write
			stopOne, stopTwo := r.run(r.sinkOf(patient, nil, session...)), r.run(r.sinkOf(patient, nil, session...))
			r.await("both in the group", func() bool { return len(r.members()) == 2 })
			r.publish(100)
			r.awaitModel()
			before := r.members()
			if _, err := r.pool.Exec(t.Context(), slowWrites); err != nil {
				t.Fatal(err)
			}
			r.publish(300)
			r.await("both to wait for their write", func() bool {
				return r.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'") >= "2"
			})
			began := time.Now()
			twice := machine.Wait{For: "the session to be over twice", Progress: func() any { return time.Since(began).Truncate(time.Second) }}
			twice.Until(t, func() bool {
				if got := r.members(); !slices.Equal(got, before) {
					t.Fatalf("members %s after the write began = %v, want %v", time.Since(began), got, before)
				}
				return time.Since(began) > 2*length
			})
			third := r.sinkOf(r.url, nil, session...)
			stopThree := r.run(third)
			r.await("a third to have its share", func() bool { return len(third.Status().Topics) > 0 && len(r.members()) == 3 })
			if _, err := r.pool.Exec(t.Context(), "DELETE FROM slow"); err != nil {
				t.Fatal(err)
			}
			r.awaitModel()
			r.await("the group to be stable", func() bool { return len(r.members()) == 3 })
			if got := r.members(); !slices.Contains(got, before[0]) || !slices.Contains(got, before[1]) {
				t.Errorf("members after the write = %v, want %v among them", got, before)
			}
			for _, stop := range []func() error{stopOne, stopTwo, stopThree} {
				if err := stop(); err != nil {
					t.Errorf("Run ended with %v", err)
				}
			}
		})
	}
}

// members are the ids of the group's members while it is stable; one that was
// evicted comes back with another id.
func (r *rig) members() (ids []string) {
	r.t.Helper()
	groups, err := r.adm.DescribeGroups(r.t.Context(), r.config().Group)
	if err != nil {
		return nil // the first group of a broker makes it make a topic
	}
	for _, group := range groups {
		if group.State != "Stable" {
			return nil
		}
		for _, m := range group.Members {
			ids = append(ids, m.MemberID)
		}
	}
	slices.Sort(ids)
	return ids
}
