package stream

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

func byTopic(partitions []schema.TopicPartition) map[string][]int32 {
	topics := map[string][]int32{}
	for _, tp := range partitions {
		topics[tp.Topic] = append(topics[tp.Topic], tp.Partition)
	}
	return topics
}

func kgoOffsets(found map[schema.TopicPartition]*partition) map[string]map[int32]kgo.Offset {
	offsets := map[string]map[int32]kgo.Offset{}
	for tp, p := range found {
		if offsets[tp.Topic] == nil {
			offsets[tp.Topic] = map[int32]kgo.Offset{}
		}
		offsets[tp.Topic][tp.Partition] = kgo.NewOffset().At(p.at)
	}
	return offsets
}

func topicNames(partitions []schema.TopicPartition) []string {
	var names []string
	for _, tp := range partitions {
		names = append(names, tp.Topic)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}
