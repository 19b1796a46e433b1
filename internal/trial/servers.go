package trial

import (
	"context"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"odastream/internal/embedded"
	"odastream/internal/host/pgserver"
)

// servers are those that poller and sink connect to.
type servers struct {
	broker     *embedded.Broker
	postgres   *pgserver.Server
	parliament *embedded.Parliament // nil: the live API
}

// startServers starts all concurrently; after an error it stops those that started.
func startServers(ctx context.Context, cfg Config, st *state, simulated bool, log *slog.Logger) (*servers, error) {
	s := &servers{}
	g, starting := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		s.broker, err = embedded.StartBroker(st.path(brokerDir), log)
		return err
	})
	g.Go(func() (err error) {
		// We hold the directory's lock, so a server that still runs there was left by a
		// crash.
		s.postgres, err = pgserver.Start(starting, pgserver.Options{Dir: st.path(postgresDir), Exclusive: true, Log: log})
		return err
	})
	g.Go(func() (err error) {
		if simulated {
			s.parliament, err = startParliament(starting, cfg, st)
		}
		return err
	})
	if err := g.Wait(); err != nil {
		s.stop(log)
		return nil, err
	}
	return s, nil
}

func startParliament(ctx context.Context, cfg Config, st *state) (*embedded.Parliament, error) {
	origin, err := cfg.origin(st.path(journalFile))
	if err != nil {
		return nil, err
	}
	return embedded.StartParliament(ctx, st.path(journalFile), origin)
}

// stop stops what was started, and logs errors.
func (s *servers) stop(log *slog.Logger) {
	if s.broker != nil {
		s.broker.Close()
	}
	if s.parliament != nil {
		if err := s.parliament.Close(); err != nil {
			log.Error("cannot close the simulated parliament", "err", err)
		}
	}
	if s.postgres == nil {
		return
	}
	if err := s.postgres.Stop(); err != nil {
		log.Error("cannot stop Postgres", "err", err)
	}
}

// watchPostgres returns an error once Postgres has ended by itself.
func (s *servers) watchPostgres(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.postgres.Done():
		return fmt.Errorf("the Postgres of this trial has ended: see its log %s; the next start continues", s.postgres.LogFile())
	}
}
