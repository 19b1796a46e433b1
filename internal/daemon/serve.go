package daemon

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// NewRegistry returns a registry with the metrics of the process and the runtime.
func NewRegistry() *prometheus.Registry { return newRegistry() }

// Endpoints are /metrics, /healthz, /readyz and /status of a job that Main does not
// run.
type Endpoints struct{ server *server }

// Serve serves the endpoints of a started job on addr until Close. The error says if
// the address is in use.
func Serve(ctx context.Context, addr string, job Job, registry *prometheus.Registry, log *slog.Logger) (*Endpoints, error) {
	srv, err := runner{program: Program{HTTPAddr: &addr}, log: log}.serve(ctx)
	if err != nil {
		return nil, err
	}
	srv.started(job, registry)
	return &Endpoints{srv}, nil
}

// Close stops serving.
func (e *Endpoints) Close() { e.server.close(context.Background()) }
