package apply_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/cache"
	"odastream/internal/test/machine"
	"odastream/rebuild"
	"odastream/stream"
)

// Times of a group, kept short for the test and stretched on a slow machine.
const (
	shortSession   = 300 * time.Millisecond
	shortRebalance = time.Second
)

// process is a sink that shares nothing with the others but its servers. Its link can
// kill or freeze it at any write.
type process struct {
	link    *link
	session time.Duration
	stop    context.CancelFunc
	done    chan error
}

// boot starts a process. A goroutine of ends cleans up after it.
func boot(t *testing.T, h processConfig, log *slog.Logger, ends *sync.WaitGroup) *process {
	t.Helper()
	p := &process{link: newLink(), session: machine.AtLeast(shortSession), done: make(chan error, 1)}
	cfg, err := cache.PoolConfig(h.url)
	if err != nil {
		t.Fatal(err)
	}
	idle := p.session * 2 / 3 // below the session
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(idle.Milliseconds(), 10)
	cfg.ConnConfig.DialFunc = p.link.dialer(toPostgres)
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	store := cache.New(pool, h.sink.Group, cache.Config{GIN: "off"}, log)
	s := apply.New(h.sink, h.kafka, apply.Parts{
		Store: store, DeadLetters: linkedDeadLetters{p.link, h.letters}, Rebuilder: &rebuild.Rebuilder{Topics: h.letters.Topics, Kafka: h.kafka, Store: store},
	}, log, nil,
		// After a restart the fake broker numbers its fetch sessions from 1 again, and
		// confuses one client's with another's; a real one draws their numbers.
		kgo.DisableFetchSessions(),
		kgo.Dialer(p.link.dialer(toKafka)), kgo.SessionTimeout(p.session), kgo.HeartbeatInterval(p.session/5),
		kgo.RebalanceTimeout(machine.AtLeast(shortRebalance)), kgo.MetadataMinAge(10*time.Millisecond), kgo.RequestTimeoutOverhead(machine.AtLeast(6*time.Second)), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	apply.Hurry(s)
	apply.LookEvery(s, h.lookEvery)
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	ends.Go(func() {
		p.done <- s.Run(ctx)
		pool.Close()
	})
	return p
}

// processConfig is what the processes of a history share.
type processConfig struct {
	url       string
	kafka     stream.Config
	sink      apply.Config
	letters   apply.DeadLetterWriter
	lookEvery time.Duration
}

// kill ends the process at once; its goroutines end soon after.
func (p *process) kill() {
	p.link.kill()
	p.stop()
}

// linkedDeadLetters writes dead letters unless the process is dead.
type linkedDeadLetters struct {
	link  *link
	inner apply.DeadLetterWriter
}

func (l linkedDeadLetters) DeadLetter(ctx context.Context, letters ...stream.DeadLetter) error {
	if err := l.link.pass(); err != nil {
		return err
	}
	if err := l.inner.DeadLetter(ctx, letters...); err != nil {
		return err
	}
	if l.link.isDead() {
		return errors.New("died while Kafka acknowledged")
	}
	return nil
}
