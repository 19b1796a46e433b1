package schema

import "testing"

func TestTopicPartitionIsWrittenWithASlash(t *testing.T) {
	t.Parallel()
	if got, want := (TopicPartition{Topic: "parliament-sag", Partition: 3}).String(), "parliament-sag/3"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
