package stream

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// reader hands out the records of partitions that it is given with their start
// offsets: what a GroupConsumer and a DirectConsumer have in common. Its methods
// are safe for concurrent use, but only one goroutine may poll.
type reader struct {
	cfg     Config
	log     *slog.Logger
	metrics *consumerMetrics
	cl      *kgo.Client  // fetches
	adm     *kadm.Client // asks for the topics' ends
	starts  *starts

	mu          sync.Mutex
	parts       map[TopicPartition]*partition
	seeks       map[TopicPartition]int64
	generation  uint64
	trouble     string // why nothing comes of any partition; "" if it does
	unreachable error  // what RefreshEnds heard
}

// endless is the goal of a partition that is read for ever.
const endless int64 = math.MaxInt64

// partition is what a reader knows of a partition that it reads.
type partition struct {
	topicID    [16]byte
	next       int64 // the offset that the store will hold once all spans handed out are applied
	start      int64 // the offset at which reading began
	at         int64 // the offset at which reading goes on
	end        int64 // the high watermark last seen
	goal       int64 // where reading stops
	generation uint64
	trouble    string
}

func newReader(cfg Config, cc ConsumerConfig, log *slog.Logger, metrics *consumerMetrics) *reader {
	r := &reader{cfg: cfg, log: log, metrics: metrics, parts: map[TopicPartition]*partition{}, seeks: map[TopicPartition]int64{}}
	r.starts = &starts{cfg: cfg, cc: cc, log: log, metrics: metrics, tell: r.setTrouble}
	return r
}

// use has the reader fetch with one client and ask with another, or the same.
func (r *reader) use(fetch, ask *kgo.Client) {
	r.cl, r.adm = fetch, kadm.NewClient(ask)
	r.starts.adm = r.adm
}

// Current tells whether s is still this consumer's to apply: its partition has
// not been given away or sought since s was handed out.
func (r *reader) Current(s Span) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[s.TopicPartition]
	return p != nil && p.generation == s.generation
}

// Pause stops fetching the partitions until Resume, also across rebalances. What
// was fetched but not handed out is dropped and fetched again.
func (r *reader) Pause(partitions ...TopicPartition) {
	if len(partitions) > 0 {
		r.cl.PauseFetchPartitions(byTopic(partitions))
	}
}

// Resume ends Pause; partitions that are not paused are left alone.
func (r *reader) Resume(partitions ...TopicPartition) {
	if len(partitions) > 0 {
		r.cl.ResumeFetchPartitions(byTopic(partitions))
	}
}

// Reseek reads the store's offsets of partitions again and goes on from there:
// for partitions that somebody else has moved. Spans handed out before are no
// longer Current. Partitions that are not ours any more are left alone.
func (r *reader) Reseek(ctx context.Context, partitions []TopicPartition) error {
	found, err := r.starts.find(ctx, partitions)
	if err != nil {
		return fmt.Errorf("read offsets again: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = ""
	for tp, p := range found {
		old := r.parts[tp]
		if old == nil {
			continue
		}
		r.generation++
		p.generation, p.goal = r.generation, old.goal
		r.parts[tp], r.seeks[tp] = p, p.at
	}
	return nil
}

// own takes over partitions that start where they were found to.
func (r *reader) own(found map[TopicPartition]*partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = ""
	for tp, p := range found {
		r.generation++
		p.generation = r.generation
		r.parts[tp] = p
		delete(r.seeks, tp)
	}
	r.log.Info("partitions taken", "partitions", len(found), "owned", len(r.parts))
}

// disown forgets partitions, so that nothing more of them is handed out. It returns
// how many are left.
func (r *reader) disown(partitions []TopicPartition) (left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tp := range partitions {
		delete(r.parts, tp)
		delete(r.seeks, tp)
	}
	return len(r.parts)
}

// disownTopics is disown for all partitions of topics.
func (r *reader) disownTopics(topics []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tp := range r.parts {
		if slices.Contains(topics, tp.Topic) {
			delete(r.parts, tp)
			delete(r.seeks, tp)
		}
	}
}

// seek carries out what Reseek asked for: only in poll, where no rebalance can run.
func (r *reader) seek() {
	r.mu.Lock()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for tp, at := range r.seeks {
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[tp.Topic][tp.Partition] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	clear(r.seeks)
	r.mu.Unlock()
	if len(offsets) > 0 {
		r.cl.SetOffsets(offsets)
	}
}

func (r *reader) setTrouble(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = text
}
