package trial

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/internal/daemon"
)

// Where the daemons answer by default, on this machine only.
const (
	pollerAddr = "127.0.0.1:8080"
	sinkAddr   = "127.0.0.1:8081"
)

// endpoint is what one of the two daemons would serve.
type endpoint struct {
	name     string
	addr     string
	job      daemon.Job
	registry *prometheus.Registry
}

// serve answers at the daemons' addresses where these are free. A trial does not
// fail for want of a port.
func (t *trial) serve(ctx context.Context) {
	for _, e := range t.endpoints {
		served, err := daemon.Serve(ctx, e.addr, e.job, e.registry, t.log)
		if err != nil {
			t.taken = append(t.taken, e.name+" at "+e.addr)
			continue
		}
		t.closers = append(t.closers, served.Close)
		if e.name == "poller" {
			t.place.Poller = e.addr
		} else {
			t.place.Sink = e.addr
		}
	}
}
