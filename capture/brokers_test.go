package capture

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odastream/internal/test/kafkatest"
	"odastream/odasim"
)

// A poller with nothing to publish asks now and then, so that the next change is not the
// first to find that Kafka is away.
func TestAnIdlePollerIsNotReadyWithoutKafka(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Cluster(t)
	var away atomic.Bool
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if away.Load() {
			return nil, errors.New("away"), true // closes the connection
		}
		return nil, nil, false
	})
	w := newWorldOn(t, cluster.ListenAddrs(), odasim.Options{}, "Sag")
	w.put("Sag", 1, "først", stampAt(w.sim.Now()))
	w.mustOnce()
	p, closePublisher := w.process()
	defer closePublisher()
	p.brokers.every = 10 * time.Millisecond
	saysWhy := func(why string) func() bool {
		return func() bool {
			ok, detail := p.Ready()
			reason := detail.(Readiness).Reason
			return !ok && strings.Contains(reason, why) && p.Status().Reason == reason && p.Status().Since != nil
		}
	}
	follows := func() bool {
		ok, _ := p.Ready()
		return ok && p.Status().Reason == "" && p.Status().Entities[0].State == StateFollowing
	}
	away.Store(true)
	stop := w.run(p)
	defer stop()
	w.eventually("the poller says at its start that Kafka is away", saysWhy("list topics"))
	away.Store(false)
	w.eventually("the poller follows", follows)
	away.Store(true)
	w.eventually("the poller says that Kafka is away", saysWhy("ask Kafka for the topic of Sag"))
	away.Store(false)
	w.eventually("the poller is ready again", follows)
}
