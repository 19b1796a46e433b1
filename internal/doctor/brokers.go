package doctor

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odastream/oda"
)

// brokers asks each broker at the address that it advertises, where clients must reach
// it to read and write topics. reached is true if one of
// them answers.
func brokers(ctx context.Context, cl *kgo.Client) (f oda.Finding, reached bool) {
	meta, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return unreached("brokers", err, "they could not be asked", "see what the brokers log about it"), false
	}
	silent := make([]string, len(meta.Brokers))
	var all sync.WaitGroup
	for i, b := range meta.Brokers {
		all.Go(func() {
			if err := ask(ctx, cl, b.NodeID); err != nil {
				silent[i] = fmt.Sprintf("broker %d at %s:%d does not answer: %v", b.NodeID, b.Host, b.Port, err)
			}
		})
	}
	all.Wait()
	var bad []string
	for _, s := range silent {
		if s != "" {
			bad = append(bad, s)
		}
	}
	if len(bad) == 0 {
		return ok("brokers", fmt.Sprintf("each of %d answers at the address that it advertises", len(silent)), "clients reach every broker"), len(silent) > 0
	}
	return trouble("brokers", strings.Join(bad, "; "), "poller and sink cannot use the partitions that these brokers lead; they wait, and lose nothing by it",
		"start these brokers, or have their advertised.listeners name an address that this machine resolves and reaches"), len(bad) < len(silent)
}

// ask sends a request without content to one broker.
func ask(ctx context.Context, cl *kgo.Client, node int32) error {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	_, err := cl.Broker(int(node)).Request(ctx, req)
	return err
}
