package trial

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/daemon"
	"odastream/internal/follow"
	"odastream/internal/wiring"
	"odastream/schema"
	"odastream/stream"
)

// TopicPrefix is prefix of every topic's name in a trial.
const TopicPrefix = "parliament-"

// screen is what people see.
type screen interface {
	Println(text string) // a line that stays
	Set(text string)     // how far the work is
	Done(text string)    // how it ended
}

// trial is a running trial.
type trial struct {
	cfg    Config
	screen screen
	log    *slog.Logger
	began  time.Time

	simulated bool
	settings  Settings
	entities  []schema.Entity
	kafka     stream.Config
	state     *state
	servers   *servers
	poller    *wiring.Poller
	sink      *wiring.Sink
	gateway   *wiring.Gateway
	reader    *follow.Reader
	pool      *pgxpool.Pool
	earlier   earlier // what an earlier trial left
	endpoints []endpoint
	taken     []string // endpoints whose address is another program's
	place     Place

	closers []func() // in the order in which the parts were opened
}

// Run runs a trial until ctx ends, stops everything and returns nil; the next Run on the
// directory continues. An error is for the user: a *BusyError, an *OtherParliamentError,
// a *settings.Error, or another reason why the trial cannot run. log gets warnings and
// errors; the state directory has the whole log.
func Run(ctx context.Context, cfg Config, screen screen, log *slog.Logger) error {
	t := &trial{cfg: cfg, screen: screen, log: log, began: time.Now()}
	defer t.close()
	err := t.start(ctx)
	if err == nil {
		err = t.work(ctx)
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// start starts everything and describes the trial.
func (t *trial) start(ctx context.Context) (err error) {
	if t.cfg.Dir, err = filepath.Abs(t.cfg.Dir); err != nil {
		return fmt.Errorf("find state directory: %w", err)
	}
	if t.simulated, err = t.chooseSource(ctx); err != nil {
		return err
	}
	if t.settings, err = t.cfg.settings(t.simulated); err != nil {
		return err
	}
	t.entities = t.settings.Entities.OrDefault()
	if t.state, err = openState(t.cfg.Dir, t.simulated); err != nil {
		return err
	}
	t.closers = append(t.closers, t.state.close)
	t.log = slog.New(slog.NewMultiHandler(hush{t.log.Handler(), ctx.Done()}, t.state.handler()))
	t.screen.Println("starting in " + t.state.dir + " …")
	if t.servers, err = startServers(ctx, t.cfg, t.state, t.simulated, t.log); err != nil {
		return err
	}
	t.closers = append(t.closers, func() { t.servers.stop(t.log) })
	if err := t.connect(ctx); err != nil {
		return err
	}
	t.serve(ctx)
	if err := t.announce(); err != nil {
		return err
	}
	t.describe(ctx)
	return nil
}

// connect opens poller, sink and reader on the servers.
func (t *trial) connect(ctx context.Context) (err error) {
	t.kafka = stream.Config{Brokers: []string{t.servers.broker.Addr()}, TopicPrefix: TopicPrefix, Partitions: 3}
	if t.simulated {
		t.settings.Source.URL = t.servers.parliament.URL()
	}
	t.kafka.Source = t.settings.Source.URL
	url := t.servers.postgres.URL()
	pollerMetrics, sinkMetrics := daemon.NewRegistry(), daemon.NewRegistry()
	t.poller, err = wiring.OpenPoller(ctx, wiring.PollerConfig{
		DatabaseURL: url, Migrate: true, Kafka: t.kafka, Source: t.settings.Source,
		Capture: t.settings.Capture, Entities: t.entities,
	}, t.log, pollerMetrics)
	if err != nil {
		return err
	}
	t.closers = append(t.closers, t.poller.Close)
	t.sink, err = wiring.OpenSink(ctx, wiring.SinkConfig{
		DatabaseURL: url, Kafka: t.kafka, Sink: t.settings.Sink, Cache: t.settings.Cache, History: t.settings.History,
	}, t.log, sinkMetrics)
	if err != nil {
		return err
	}
	t.closers = append(t.closers, t.sink.Close)
	if t.pool, err = connect.Postgres(ctx, url, nil); err != nil {
		return err
	}
	t.closers = append(t.closers, t.pool.Close)
	gatewayMetrics := daemon.NewRegistry()
	if t.gateway, err = t.openGateway(ctx, url, gatewayMetrics); err != nil {
		return err
	}
	t.closers = append(t.closers, t.gateway.Close)
	if t.earlier, err = readEarlier(ctx, t.pool); err != nil {
		return err
	}
	// A killed trial still holds its leases. Nobody works under them: we alone hold
	// the lock of the directory.
	if err := checkpoint.New(t.pool).EndAllLeases(ctx); err != nil {
		return err
	}
	t.endpoints = []endpoint{
		{"poller", pollerAddr, daemon.Job{Ready: t.poller.Ready, Status: func() any { return t.poller.Status() }}, pollerMetrics},
		{"sink", sinkAddr, daemon.Job{Ready: t.sink.Ready, Status: func() any { return t.sink.Status() }}, sinkMetrics},
		{"gateway", gatewayHealthAddr, daemon.Job{Ready: t.gateway.Ready}, gatewayMetrics},
	}
	return t.openReader(ctx)
}

// openGateway opens the gateway at its address, or at a free one if another program has it.
func (t *trial) openGateway(ctx context.Context, databaseURL string, reg prometheus.Registerer) (*wiring.Gateway, error) {
	cfg := wiring.GatewayConfig{
		DatabaseURL: databaseURL, Addr: t.settings.GatewayAddr, Entities: t.entities, Kafka: t.kafka, Gateway: t.settings.Gateway,
	}
	g, err := wiring.OpenGateway(ctx, cfg, t.log, reg)
	if errors.Is(err, syscall.EADDRINUSE) {
		cfg.Addr = "127.0.0.1:0"
		g, err = wiring.OpenGateway(ctx, cfg, t.log, reg)
	}
	return g, err
}

// openReader creates the topics, so that the sink finds them at once, and opens a reader
// at their ends.
func (t *trial) openReader(ctx context.Context) error {
	admin, err := stream.NewClient(t.kafka, t.log)
	if err != nil {
		return err
	}
	defer admin.Close()
	names := make([]string, len(t.entities))
	for i, e := range t.entities {
		names[i] = e.Name
	}
	if err := stream.NewTopics(admin, t.kafka, t.log).Ensure(ctx, names); err != nil {
		return err
	}
	if t.reader, err = follow.Open(ctx, t.kafka, names, follow.End, t.log); err != nil {
		return err
	}
	t.closers = append(t.closers, t.reader.Close)
	return nil
}

// work runs everything until ctx ends or something fails.
func (t *trial) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return t.poller.Run(ctx) })
	g.Go(func() error { return t.sink.Run(ctx) })
	g.Go(func() error { return t.gateway.Run(ctx) })
	g.Go(func() error { return t.servers.watchPostgres(ctx) })
	g.Go(func() error { return t.showChanges(ctx) })
	g.Go(func() error { return t.showLoad(ctx) })
	if t.simulated {
		g.Go(func() error { return t.servers.parliament.Run(ctx, t.cfg.Pace) })
	}
	return g.Wait()
}

// announce writes the trial's addresses for other commands.
func (t *trial) announce() error {
	t.place.PID, t.place.Started, t.place.Simulated = os.Getpid(), t.began.UTC(), t.simulated
	t.place.Gateway = t.gateway.Addr()
	t.place.Source, t.place.Brokers, t.place.DatabaseURL = t.settings.Source.URL, t.servers.broker.Addr(), t.servers.postgres.URL()
	return t.state.announce(t.place)
}

// close closes what was opened, in reverse order.
func (t *trial) close() {
	for _, end := range slices.Backward(t.closers) {
		end()
	}
}
