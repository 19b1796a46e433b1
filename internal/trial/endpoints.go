package trial

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/internal/daemon"
)

// The daemons' default addresses, on loopback.
const (
	pollerAddr        = "127.0.0.1:8080"
	sinkAddr          = "127.0.0.1:8081"
	gatewayHealthAddr = "127.0.0.1:8082"
)

// endpoint is the HTTP endpoint of a daemon.
type endpoint struct {
	name     string
	addr     string
	job      daemon.Job
	registry *prometheus.Registry
}

// serve serves the daemons' endpoints. A trial does not fail if an address is in use.
func (t *trial) serve(ctx context.Context) {
	for _, e := range t.endpoints {
		served, err := daemon.Serve(ctx, e.addr, e.job, e.registry, t.log)
		if err != nil {
			t.taken = append(t.taken, e.name+" at "+e.addr)
			continue
		}
		t.closers = append(t.closers, served.Close)
		switch e.name {
		case "poller":
			t.place.Poller = e.addr
		case "sink":
			t.place.Sink = e.addr
		}
	}
}
