// Package machine tells a test how fast the machine serves it just now, so that a
// test waits for progress and not for a time that suited another machine.
//
// A heartbeat wakes up every 10 ms and sends a byte through a loopback connection
// and back. How late it is measures what each step of a test's own goroutines,
// brokers and connections costs.
//
// Invariant: time in which the process is not served counts against nobody. It
// knows nothing of Kafka, Postgres, or what a test waits for.
package machine

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// beatEvery is the pause between two beats.
	beatEvery = 10 * time.Millisecond
	// beatsKept is the number of beats that Delay looks back on: three seconds on an
	// idle machine, longer on a slow one.
	beatsKept = 256
	// beatsFirst is the number of beats that the first caller waits for.
	beatsFirst = 5
	// maxStretch bounds Stretch, for a machine that was suspended for a moment.
	maxStretch = 20
	// enoughDelays is the number of delays in which a peer is heard for sure.
	enoughDelays = 30
	// maxEnough bounds AtLeast, well below what a wait puts up with (Patience).
	maxEnough = 20 * time.Second
)

// heartbeat is the process's own. It begins at the first use, and never ends.
var heartbeat = sync.OnceValue(func() *pulse {
	p, err := start()
	if err != nil {
		panic(fmt.Sprintf("machine: start the heartbeat: %v", err))
	}
	return p
})

// Delay is how late this process was served over the last few seconds, each moment
// counting the same. On an idle machine it is below a millisecond.
func Delay() time.Duration { return heartbeat().delay() }

// Longest is the longest that one beat was late since the first use.
func Longest() time.Duration { return heartbeat().most() }

// AtLeast is d, or thirty delays where these are longer, up to 20 s: a session, a
// lease or a timeout in which a peer is heard on any machine.
func AtLeast(d time.Duration) time.Duration {
	return max(d, min(enoughDelays*Delay(), maxEnough))
}

// Stretch is d on a machine whose Delay is at most 10 ms. Where the delay is
// longer, d grows in the same ratio, up to twenty times: a pause or a fault keeps
// its length beside a session of AtLeast(300 ms). It is for times below a second.
func Stretch(d time.Duration) time.Duration {
	return d * min(max(Delay(), beatEvery), maxStretch*beatEvery) / beatEvery
}

// Served is how long this process was served since the first use: 10 ms for each
// beat. It stands still while the process is stopped or starved.
func Served() time.Duration { return heartbeat().served() }

// pulse is a heartbeat and what it found. It is safe for concurrent use.
type pulse struct {
	mu      sync.Mutex
	beats   int
	late    [beatsKept]time.Duration // a ring, the last beat at beats-1
	longest time.Duration
}

// start starts a heartbeat and returns after its first beats.
func start() (*pulse, error) {
	conn, err := echo()
	if err != nil {
		return nil, err
	}
	p, begun := &pulse{}, make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			due := time.Now().Add(beatEvery)
			time.Sleep(beatEvery) // the pause itself is what is measured
			if err := trip(conn); err != nil {
				panic(fmt.Sprintf("machine: heartbeat: %v", err)) // a connection to ourselves
			}
			p.note(time.Since(due))
			if n == beatsFirst {
				close(begun)
			}
		}
	}()
	<-begun
	return p, nil
}

// echo gives a connection whose other end says everything again.
func echo() (net.Conn, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the process
	if err != nil {
		return nil, err
	}
	defer listener.Close()                                 //nolint:errcheck // one connection is all it is for
	near, err := net.Dial("tcp", listener.Addr().String()) //nolint:noctx // as above
	if err != nil {
		return nil, err
	}
	far, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	go func() { _, _ = io.Copy(far, far) }()
	return near, nil
}

// trip sends a byte and waits until it is back.
func trip(conn net.Conn) error {
	if _, err := conn.Write([]byte{0}); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

func (p *pulse) note(late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late[p.beats%beatsKept] = max(late, 0)
	p.beats++
	p.longest = max(p.longest, late)
}

// delay is the mean lateness over the time that the kept beats span: a beat that
// was late for long counts for as long.
func (p *pulse) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var weighted, span float64
	for _, late := range p.late[:min(p.beats, beatsKept)] {
		length := float64(late + beatEvery)
		weighted += float64(late) * length
		span += length
	}
	if span == 0 {
		return 0
	}
	return time.Duration(weighted / span)
}

func (p *pulse) most() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.longest
}

func (p *pulse) served() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.beats) * beatEvery
}
