package kafkatest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Bomb is a batch of one record with a value of zeros, small on the wire and large once it
// is unpacked.
type Bomb []byte

// NewBomb makes a batch whose record has the key and unpacks to more than size bytes, a
// whole number of MiB.
func NewBomb(t testing.TB, key string, size int) Bomb {
	t.Helper()
	const mib, noHeaders = 1 << 20, 0
	head := []byte{0, 0, 0} // attributes, timestamp, offset
	head = append(binary.AppendVarint(head, int64(len(key))), key...)
	head = binary.AppendVarint(head, int64(size))
	length := binary.AppendVarint(nil, int64(len(head)+size+1))
	// A gzip file may have any number of members (RFC 1952, 2.2), so the zeros are packed
	// once.
	bomb := member(t, append(length, head...))
	bomb = append(bomb, bytes.Repeat(member(t, make([]byte, mib)), size/mib)...)
	return append(bomb, member(t, []byte{noHeaders})...)
}

// member returns a member of a gzip file.
func member(t testing.TB, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// Produce writes the batch to the partition of a topic, and returns its record as a
// broker knows it.
func (b Bomb) Produce(t testing.TB, brokers []string, topic string, partition int32) *kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.WithCompressor(b), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	// The client sends what is smaller than the batch that it has made.
	rec := &kgo.Record{Topic: topic, Partition: partition, Value: bytes.Repeat([]byte("x"), len(b)+1<<10)}
	if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
		t.Fatalf("kafkatest: produce a bomb to %s: %v", topic, err)
	}
	return rec
}

// Compress implements kgo.Compressor: every batch becomes b.
func (b Bomb) Compress(*bytes.Buffer, []byte, ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	return b, kgo.CodecGzip
}
