package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/schema"
)

// rawRecord is a record as a batch holds it.
func rawRecord(value string, headers int) []byte {
	body := []byte{0, 0, 0, 0} // attributes, timestamp, offset, an empty key
	body = append(binary.AppendVarint(body, int64(len(value))), value...)
	body = binary.AppendVarint(body, int64(headers))
	body = append(body, make([]byte, 2*headers)...) // with an empty key and an empty value each
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

func pack(t *testing.T, records []byte, codec kgo.CompressionCodec) ([]byte, kgo.CompressionCodecType) {
	t.Helper()
	c, err := kgo.DefaultCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	packed, kind := c.Compress(new(bytes.Buffer), records)
	return slices.Clone(packed), kind
}

func TestABatchUnpacksToNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	codecs := map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for claim, tt := range map[string]struct {
		records []byte
		refused bool
	}{
		"a row of 16 MiB":        {rawRecord(strings.Repeat("x", 16<<20), 8), false},
		"our largest batch":      {bytes.Repeat(rawRecord(strings.Repeat("x", 350), 7), maxProduced/370), false},
		"25 MiB":                 {rawRecord(strings.Repeat("x", 25<<20), 0), true},
		"a million tiny records": {bytes.Repeat(rawRecord("", 0), 1<<20), true},
		"two million headers":    {rawRecord("", 2<<20), true},
	} {
		for name, codec := range codecs {
			packed, kind := pack(t, tt.records, codec)
			got, err := new(unpacker).Decompress(packed, kind)
			if refused := errors.Is(err, kgo.ErrMaxDecompress); refused != tt.refused || !refused && (err != nil || !bytes.Equal(got, tt.records)) {
				t.Errorf("%s in %s: %d bytes, %v, want refused %v", claim, name, len(got), err, tt.refused)
			}
		}
	}
}

func TestAFetchUnpacksToNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	packed, kind := pack(t, rawRecord(strings.Repeat("x", 16<<20), 0), kgo.ZstdCompression())
	u := new(unpacker)
	for fetch := range 2 {
		u.OnBrokerRead(kgo.BrokerMetadata{}, fetchKey, 0, 0, 0, nil)
		n := 0
		for ; n < 100; n++ {
			if _, err := u.Decompress(packed, kind); err != nil {
				if !errors.Is(err, errFetchFull) {
					t.Errorf("batch %d of fetch %d: %v, want %v", n, fetch, err, errFetchFull)
				}
				break
			}
		}
		if n != 4 {
			t.Errorf("fetch %d takes %d batches of 16 MiB, want 4", fetch, n)
		}
	}
}

// Batches that fit one by one, and not together, are all read.
func TestBatchesBehindAFullFetchAreRead(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.single(t)
	b.ensure(t, "Sag", "Aktør")
	fits := kafkatest.NewBomb(t, "Sag:1", 20<<20)
	for range 8 {
		fits.Produce(t, b.cfg.Brokers, b.cfg.Topic("Sag"), 0)
		fits.Produce(t, b.cfg.Brokers, b.cfg.Topic("Aktør"), 0)
	}
	c, err := NewDirectConsumer(t.Context(), b.cfg, storeless(), b.log.logger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := 0
	for {
		spans, err := c.Poll(t.Context(), 1000, time.Second)
		if errors.Is(err, ErrEnd) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range spans {
			for _, rec := range s.Records {
				if largeBatchOf(rec) != nil || len(rec.Value) != 20<<20 {
					t.Errorf("record at %d has %d bytes", rec.Offset, len(rec.Value))
				}
				n++
			}
		}
	}
	if n != 16 {
		t.Errorf("%d records, want 16", n)
	}
	if text := b.log.String(); strings.Contains(text, "no records from") {
		t.Errorf("a full fetch is logged as a fault:\n%s", text)
	}
}

// storeless reads every partition from its start.
func storeless() ConsumerConfig {
	return ConsumerConfig{
		Positions: func(context.Context) (map[schema.TopicPartition]schema.Position, error) { return nil, nil },
		Reset:     func(context.Context, schema.TopicPartition, schema.Position, schema.Position) error { return nil },
	}
}

// FuzzDecodedSize counts the records of any bytes.
func FuzzDecodedSize(f *testing.F) {
	f.Add(rawRecord("x", 3))
	f.Add(bytes.Repeat(rawRecord("", 0), 9))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, records []byte) {
		if got, most := decodedSize(records), int64(len(records))*(1+recordMemory+headerMemory); got < int64(len(records)) || got > most {
			t.Errorf("decodedSize of %d bytes = %d, want %d at most", len(records), got, most)
		}
	})
}
