package kafkatest_test

import (
	"testing"

	"odastream/internal/test/kafkaserver"
	"odastream/internal/test/kafkatest"
)

func TestRealStoresARecord(t *testing.T) {
	t.Parallel()
	roundTrip(t, kafkatest.Real(t))
}

func TestOwnIsAnotherBroker(t *testing.T) {
	t.Parallel()
	own := kafkatest.Own(t, kafkaserver.Options{})
	roundTrip(t, own.Brokers())
	if shared := kafkatest.Real(t); shared[0] == own.Brokers()[0] {
		t.Errorf("Own = %v, the broker that all tests share", shared)
	}
}

// recorder is a testing.TB that records how the test would have ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()               {}
func (r *recorder) Skipf(string, ...any)  { r.ended = "skipped" }
func (r *recorder) Fatalf(string, ...any) { r.ended = "failed" }

func TestNoneMeansNoBroker(t *testing.T) {
	t.Setenv(kafkatest.EnvBrokers, "none")
	t.Setenv("CI", "")
	t.Setenv(kafkatest.EnvRequire, "")
	r := &recorder{TB: t}
	kafkatest.Require(r)
	if r.ended != "skipped" {
		t.Errorf("Require with %s=none: %q, want skipped", kafkatest.EnvBrokers, r.ended)
	}
}

func TestMissingKafkaIsSkippedUnlessRequired(t *testing.T) {
	for claim, c := range map[string]struct{ ci, require, want string }{
		"without variables the test is skipped": {"", "", "skipped"},
		"in CI it fails":                        {"true", "", "failed"},
		"it fails where it is required":         {"", "1", "failed"},
		"another value of CI is ignored":        {"false", "0", "skipped"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			t.Setenv("JAVA_HOME", "")
			t.Setenv(kafkatest.EnvBrokers, "")
			t.Setenv("CI", c.ci)
			t.Setenv(kafkatest.EnvRequire, c.require)
			r := &recorder{TB: t}
			kafkatest.Require(r)
			if r.ended != c.want {
				t.Errorf("Require with CI=%q %s=%q without Java: %q, want %q", c.ci, kafkatest.EnvRequire, c.require, r.ended, c.want)
			}
		})
	}
}
