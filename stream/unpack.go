package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Limits of what compressed batches become, in bytes. A batch of half a megabyte can hold
// gigabytes.
const (
	// maxProduced limits our own batches. The largest row has 16 MiB.
	maxProduced = 20 << 20
	// maxUnpacked limits a batch that is read.
	maxUnpacked = 24 << 20
	// maxDecoded limits what a batch takes as records in memory. A batch above
	// maxProduced/2 is below it unless its records are smaller than ours.
	maxDecoded = 64 << 20
	// maxFetched ends a fetch: batches behind it come with the next one.
	maxFetched = 64 << 20
)

// errFetchFull is the error of a batch that has no room in its fetch. The client fetches
// it again.
var errFetchFull = errors.New("fetch is full")

// unpacker decompresses the batches of a client's fetches within the limits. It is a
// decompressor and a hook of a kgo.Client. A client with several brokers has that room
// for each of them.
type unpacker struct {
	held atomic.Int64 // what the batches of the fetch take
}

// bounded decompresses a batch up to maxUnpacked. The option's documentation says that
// only a client can make such a decompressor, so one is taken from a client.
var bounded = sync.OnceValue(func() kgo.Decompressor {
	cl, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(maxUnpacked))
	if err != nil {
		panic("stream: make the decompressor: " + err.Error()) // the option is a constant
	}
	defer cl.Close()
	return cl.OptValue(kgo.WithDecompressor).(kgo.Decompressor) // of a client without that option it is the default one
})

// OnBrokerRead begins a fetch when its answer has been read.
func (u *unpacker) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == fetchKey {
		u.held.Store(0)
	}
}

// fetchKey is Kafka's number of the request Fetch.
const fetchKey = 1

// Decompress returns kgo.ErrMaxDecompress for a batch above the limits, and
// errFetchFull for one that has no room. The first batch of a fetch always has.
func (u *unpacker) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if u.held.Load() >= maxFetched {
		return nil, errFetchFull
	}
	records, err := bounded().Decompress(src, codec)
	if err != nil {
		return nil, err
	}
	takes := decodedSize(records)
	if takes > maxDecoded {
		return nil, fmt.Errorf("%w: its records take %d bytes", kgo.ErrMaxDecompress, takes)
	}
	u.held.Add(takes)
	return records, nil
}

// What the client makes of each record and each header, in bytes.
const (
	recordMemory = 200
	headerMemory = 40
)

// decodedSize returns what the records of a batch take in memory. It stops where they are
// broken, as the client does.
func decodedSize(records []byte) int64 {
	size := int64(len(records))
	for {
		length, used := binary.Varint(records)
		if used <= 0 || length < 0 || length > int64(len(records)-used) {
			return size
		}
		size += recordMemory + headerMemory*headerCount(records[used:used+int(length)])
		records = records[used+int(length):]
	}
}

// headerCount returns the number of headers of a record, at most one for each two bytes.
func headerCount(record []byte) int64 {
	if len(record) == 0 {
		return 0
	}
	rest := record[1:] // attributes
	next := func() int64 {
		n, used := binary.Varint(rest)
		if used <= 0 {
			rest = nil
			return 0
		}
		rest = rest[used:]
		return n
	}
	next() // timestamp
	next() // offset
	for range 2 {
		if n := next(); n > 0 { // key, value
			rest = rest[min(n, int64(len(rest))):]
		}
	}
	return max(0, min(next(), int64(len(rest)/2)))
}
