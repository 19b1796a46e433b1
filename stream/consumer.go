package stream

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrClosed is returned by Poll after Close.
var ErrClosed = errors.New("consumer is closed")

// ConsumerConfig says where a consumer begins, and how much it fetches.
type ConsumerConfig struct {
	// Positions gives the offsets that the store holds. It is asked at every
	// assignment, since another member may have moved them. Required.
	Positions func(ctx context.Context) (map[TopicPartition]Position, error)
	// Reset moves the store's offset of a partition that has to be read from its
	// start: its topic was made anew, or no longer holds the offset. Its error means
	// that nothing changed; all is looked up and tried again. Required.
	Reset func(ctx context.Context, tp TopicPartition, was, now Position) error
	// Aged is called before a partition is read on from an offset that is older than
	// its topic keeps deletes: some of those that lie behind it may be gone. It has to
	// find the rows that they were of. With its error all is looked up and tried
	// again. Nil: age means nothing.
	Aged func(ctx context.Context, topic string) error
	// FetchBytes bounds what one broker sends ahead of Poll. 0: 16 MiB.
	FetchBytes int32
}

// fetchOptions are those of a client that reads from stored offsets.
func (cc ConsumerConfig) fetchOptions() []kgo.Opt {
	most := cc.FetchBytes
	if most == 0 {
		most = 16 << 20
	}
	return []kgo.Opt{
		kgo.FetchMaxBytes(most),
		kgo.FetchMaxPartitionBytes(max(most/4, 1<<20)),
		// An offset outside its topic goes to the topic's start, and nowhere else:
		// what was applied already changes nothing, what was skipped is lost.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
}

// Why reading went on elsewhere than the store's offset said.
const (
	resetRecreated  = "recreated"
	resetOutOfRange = "out_of_range"
	resetDataLoss   = "data_loss"
	resetAged       = "aged"
)

type consumerMetrics struct {
	resets *prometheus.CounterVec
}

func newConsumerMetrics(reg prometheus.Registerer) *consumerMetrics {
	m := &consumerMetrics{
		resets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_consumer_resets_total",
			Help: "Partitions read from elsewhere than the stored offset: topic recreated, offset out_of_range, broker's data_loss; or looked through from the start: offset aged.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{resetRecreated, resetOutOfRange, resetDataLoss, resetAged} {
		m.resets.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.resets)
	}
	return m
}
