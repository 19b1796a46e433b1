package stream

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// ErrClosed is returned by Poll after Close.
var ErrClosed = errors.New("consumer is closed")

// ConsumerConfig says where a consumer begins, and how much it fetches.
type ConsumerConfig struct {
	// Positions returns the stored offsets. It is called at every assignment, since
	// another member may have changed them. Required.
	Positions func(ctx context.Context) (map[schema.TopicPartition]schema.Position, error)
	// Reset sets the stored offset of a partition that has to be read from its start:
	// its topic was recreated, or no longer holds the offset. After an error nothing has
	// changed, and the whole look-up is retried. Required.
	Reset func(ctx context.Context, tp schema.TopicPartition, was, now schema.Position) error
	// OnOldOffset is called before a partition is read from an offset that is older than
	// its topic keeps tombstones: compaction may have removed deletes after it. It must
	// delete the rows of those. After an error the whole look-up is retried. Nil: the
	// offset's age is ignored.
	OnOldOffset func(ctx context.Context, topic string) error
	// FetchBytes bounds what is fetched from one broker ahead of Poll. 0: 16 MiB.
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
		// An offset outside its topic is reset to the topic's start, never to its end:
		// applying records again is safe, skipping records loses them.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
}

// Why a partition was not read from the stored offset.
const (
	resetRecreated  = "recreated"
	resetOutOfRange = "out_of_range"
	resetDataLoss   = "data_loss"
	resetOld        = "aged"
)

type consumerMetrics struct {
	resets *prometheus.CounterVec
}

func newConsumerMetrics(reg prometheus.Registerer) *consumerMetrics {
	m := &consumerMetrics{
		resets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_consumer_resets_total",
			Help: "Partitions not read from the stored offset, by reason: topic recreated, offset out_of_range, the broker's data_loss; and partitions whose topic was read whole first: offset aged.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{resetRecreated, resetOutOfRange, resetDataLoss, resetOld} {
		m.resets.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.resets)
	}
	return m
}
