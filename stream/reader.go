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

	"odastream/schema"
)

// reader reads partitions from given start offsets. It is the part that GroupConsumer
// and DirectConsumer share. Its methods are safe for concurrent use, but only one
// goroutine may poll.
type reader struct {
	cfg     Config
	log     *slog.Logger
	metrics *consumerMetrics
	cl      *kgo.Client  // fetches
	adm     *kadm.Client // asks for the topics' ends
	starts  *starts

	mu          sync.Mutex
	parts       map[schema.TopicPartition]*partition
	seeks       map[schema.TopicPartition]int64
	generation  uint64
	trouble     string // why no partition yields records; "" if nothing is wrong
	unreachable error  // the last error of RefreshEnds's Ping
}

// noStop is stopAt of a partition that is read without end.
const noStop int64 = math.MaxInt64

// partition is what a reader knows of a partition that it reads.
type partition struct {
	topicID    [16]byte
	next       int64 // what the stored offset will be once all spans handed out are applied
	start      int64 // the offset at which reading began
	at         int64 // the offset of the next record to read
	end        int64 // the high watermark last seen
	stopAt     int64 // reading stops before this offset
	generation uint64
	trouble    string
}

func newReader(cfg Config, cc ConsumerConfig, log *slog.Logger, metrics *consumerMetrics) *reader {
	r := &reader{cfg: cfg, log: log, metrics: metrics, parts: map[schema.TopicPartition]*partition{}, seeks: map[schema.TopicPartition]int64{}}
	r.starts = &starts{cfg: cfg, cc: cc, log: log, metrics: metrics, report: r.setTrouble}
	return r
}

// use sets the client that fetches and the one for all other requests; they may be the
// same.
func (r *reader) use(fetch, ask *kgo.Client) {
	r.cl, r.adm = fetch, kadm.NewClient(ask)
	r.starts.adm = r.adm
}

// Current says whether s may still be applied: its partition was neither revoked nor
// sought since s was handed out.
func (r *reader) Current(s Span) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[s.TopicPartition]
	return p != nil && p.generation == s.generation
}

// Pause stops fetching the partitions until Resume, also across rebalances. What
// was fetched but not handed out is dropped and fetched again.
func (r *reader) Pause(partitions ...schema.TopicPartition) {
	if len(partitions) > 0 {
		r.cl.PauseFetchPartitions(byTopic(partitions))
	}
}

// Resume ends Pause; partitions that are not paused are left alone.
func (r *reader) Resume(partitions ...schema.TopicPartition) {
	if len(partitions) > 0 {
		r.cl.ResumeFetchPartitions(byTopic(partitions))
	}
}

// Reseek reads the stored offsets of partitions again and continues from there. It is
// for partitions whose stored offset another writer changed. Spans handed out before
// are no longer Current. Reseek ignores partitions that are no longer owned.
func (r *reader) Reseek(ctx context.Context, partitions []schema.TopicPartition) error {
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
		p.generation, p.stopAt = r.generation, old.stopAt
		r.parts[tp], r.seeks[tp] = p, p.at
	}
	return nil
}

// own adds partitions with their start offsets.
func (r *reader) own(found map[schema.TopicPartition]*partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = ""
	for tp, p := range found {
		r.generation++
		p.generation = r.generation
		r.parts[tp] = p
		delete(r.seeks, tp)
	}
	r.log.Info("partitions assigned", "partitions", len(found), "owned", len(r.parts))
}

// disown removes partitions, so that no more of their records are handed out. It
// returns how many are left.
func (r *reader) disown(partitions []schema.TopicPartition) (left int) {
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

// seek does the seeks that Reseek requested. Only poll calls it, because no rebalance
// can run there.
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
