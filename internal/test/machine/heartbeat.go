// Package machine measures how fast the machine currently serves a test, so that a test
// waits for progress and not for a time that suited another machine.
//
// A heartbeat wakes up every 10 ms and sends a byte through a loopback connection and
// back. Its lateness measures the delay of each step of the test's goroutines, brokers
// and connections.
//
// Invariant: no wait counts time in which the process is not served. It knows nothing of
// Kafka, Postgres, or what a test waits for.
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
	// beatsKept is the number of beats that Delay covers: three seconds on an idle
	// machine, longer on a slow one.
	beatsKept = 256
	// beatsFirst is the number of beats that the first caller waits for.
	beatsFirst = 5
	// maxScale bounds Scale, for a machine that was suspended for a moment.
	maxScale = 20
	// enoughDelays is the number of delays within which a peer surely answers.
	enoughDelays = 30
	// maxEnough bounds AtLeast, well below Patience.
	maxEnough = 20 * time.Second
)

// heartbeat is the process's own. It begins at the first use and never ends.
var heartbeat = sync.OnceValue(func() *pulse {
	p, err := start()
	if err != nil {
		panic(fmt.Sprintf("machine: start the heartbeat: %v", err))
	}
	return p
})

// Delay returns how late this process was served over the last few seconds, as a mean
// over time. On an idle machine it is below a millisecond.
func Delay() time.Duration { return heartbeat().delay() }

// Longest returns the longest delay of a beat since the first use.
func Longest() time.Duration { return heartbeat().most() }

// AtLeast returns d, or thirty delays if they are longer, up to 20 s. It is for a
// session, a lease or a timeout within which a peer answers on any machine.
func AtLeast(d time.Duration) time.Duration {
	return max(d, min(enoughDelays*Delay(), maxEnough))
}

// Scale returns d on a machine whose Delay is at most 10 ms. With a longer delay d
// grows in proportion, up to twenty times, so that a pause or a fault keeps its ratio to
// a session of AtLeast(300 ms). It is for times below a second.
func Scale(d time.Duration) time.Duration {
	return d * min(max(Delay(), beatEvery), maxScale*beatEvery) / beatEvery
}

// Served returns how long this process was served since the first use: 10 ms for each
// beat. It does not grow while the process is stopped or starved.
func Served() time.Duration { return heartbeat().served() }

// pulse is a heartbeat and its measurements. It is safe for concurrent use.
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
			time.Sleep(beatEvery) // it measures the pause itself
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

// echo returns a connection whose other end sends everything back.
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

// trip sends a byte and waits until it comes back.
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

// delay returns the mean lateness over the time of the kept beats. Each beat is weighted
// by its length.
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
