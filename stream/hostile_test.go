package stream

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// FuzzHostileRecord decodes records that repeat a part any number of times, as sink and
// fold do. Memory grows with their bytes, and no further.
func FuzzHostileRecord(f *testing.F) {
	begin, end, _ := strings.Cut(good, `"data":{`)
	begin += `"data":{`
	for _, unit := range []string{`"x":0,`, `"x":{`, `"x":[`, `"\u00e6":"\ud83d\ude00",`, `"n":1e9999,`, " ", `"x":[[],{}],`} {
		f.Add([]byte("Sag:7"), []byte(begin), []byte(unit), uint32(1<<17), []byte(end))
	}
	f.Add([]byte("Sag:7"), []byte(`{"changed":[`), []byte(`"x",`), uint32(1<<17), []byte(`"x"],`+good[1:]))
	f.Add([]byte("Sag:7"), []byte(`{"entity":"`), []byte("x"), uint32(1<<17), []byte(`"}`))
	f.Fuzz(func(t *testing.T, key, head, unit []byte, n uint32, tail []byte) {
		const most = 256 << 10
		value := bytes.Clone(head)
		if len(unit) > 0 {
			value = append(value, bytes.Repeat(unit, min(int(n), most/len(unit)))...)
		}
		value = append(value, tail...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Decode(&kgo.Record{Key: key, Value: value})
		if err == nil && m.Change.Data != nil {
			_, _, _ = schema.Fingerprint(m.Change.Data)
		}
		runtime.ReadMemStats(&after)
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+64*(len(key)+len(value))); took > most {
			t.Errorf("%d bytes allocated for a record of %d, want %d at most: %.100s", took, len(value), most, value)
		}
	})
}
