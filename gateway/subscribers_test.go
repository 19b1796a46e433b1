package gateway

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"odastream/internal/test/machine"
	"odastream/schema"
)

// envSubscribe is how long a thousand subscribers follow the changes, such as 10m. Without
// it fewer do, for a moment.
const envSubscribe = "ODASTREAM_SUBSCRIBE"

// reconnecting is a client of an event stream that loses its connection now and then.
type reconnecting struct {
	url  string
	id   string       // the last one
	seen []bool       // by seq, which counts from 1
	n    atomic.Int64 // of those that are seen
}

// follow reads events until the connection or ctx ends. It returns what is wrong with them.
func (c *reconnecting) follow(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", eventStream)
	if c.id != "" {
		req.Header.Set("Last-Event-ID", c.id)
	}
	res, err := client.Do(req)
	if err != nil {
		return cutOff(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	had := map[int]bool{} // on this connection
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		line := lines.Text()
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			c.id = id
		}
		if strings.HasPrefix(line, "event: resync") {
			return fmt.Errorf("a subscriber that is never away for long was told that its cursor is too old")
		}
		_, rest, ok := strings.Cut(line, `"seq":`)
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, ",")
		seq, err := strconv.Atoi(digits)
		if err != nil || seq >= len(c.seen) {
			return fmt.Errorf("event %q has no seq of ours: %w", line, err)
		}
		if had[seq] {
			return fmt.Errorf("change %d came twice on one connection", seq)
		}
		if had[seq] = true; !c.seen[seq] {
			c.seen[seq] = true
			c.n.Add(1)
		}
	}
	return cutOff(ctx, lines.Err())
}

// cutOff returns an error that is not that of a connection which the client has ended.
func cutOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Many subscribers follow fifty changes a second, and reconnect at random: each has every
// change, none twice on a connection, and the gateway holds no more in the end than after
// the first part. Not parallel: it measures the memory of the process.
func TestManySubscribersHaveEveryChange(t *testing.T) {
	subscribers, long, away := 100, 3*time.Second, time.Second
	if text := os.Getenv(envSubscribe); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s is %q, want a duration such as 10m", envSubscribe, text)
		}
		subscribers, away = 1000, 30*time.Second
	}
	const every, batch = 100 * time.Millisecond, 5
	r := newTopicsRig(t, "Sag")
	_, page := r.ask(t, "")
	begin := cursorOf(t, page)
	total := int(long/every) * batch
	clients := make([]*reconnecting, subscribers)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	var reconnects atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: subscribers}}
	for i := range clients {
		c := &reconnecting{url: r.URL + "/v1/changes?after=" + begin, seen: make([]bool, total+1)}
		clients[i] = c
		running.Go(func() {
			for ctx.Err() == nil {
				connection, end := context.WithTimeout(ctx, time.Duration(rand.ExpFloat64()*float64(away)))
				if err := c.follow(connection, client); err != nil {
					t.Error(err)
					stop()
				}
				end()
				reconnects.Add(1)
			}
		})
	}
	var early uint64
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; n <= total && ctx.Err() == nil; n += batch {
		var some []schema.Change
		for i := range batch {
			some = append(some, changeOf("Sag", int64((n+i)%97), int64(n+i), schema.Update))
		}
		r.publish(t, some...)
		if n == 1+total/batch/3*batch {
			early = held()
		}
		<-ticker.C
	}
	missing := func() (n int64) {
		for _, c := range clients {
			n += int64(total) - c.n.Load()
		}
		return n
	}
	late := held()
	all := machine.Wait{For: "every subscriber to have every change", Progress: func() any { return missing() }}
	all.Until(t, func() bool { return ctx.Err() != nil || missing() == 0 })
	stop()
	running.Wait()
	t.Logf("%d subscribers, %d changes, %d connections, %d MiB of heap after a third, %d at the end", subscribers, total, reconnects.Load(), early>>20, late>>20)
	if late > early+early/4+16<<20 {
		t.Errorf("the heap grew from %d to %d MiB", early>>20, late>>20)
	}
}

// held returns the bytes of the heap that are in use.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
