package gateway

import (
	"context"
	"errors"
	"time"
)

// class is how much a request costs.
type class int

// The classes. What needs no query has none.
const (
	noClass class = iota
	simpleClass
	mediumClass
	complexClass
)

var classNames = [...]string{noClass: "none", simpleClass: "simple", mediumClass: "medium", complexClass: "complex"}

func (c class) String() string { return classNames[c] }

// queueFor is how long a request waits for a place of its class.
const queueFor = time.Second

// errBusy says that a class has no place and its queue is full, or did not move.
var errBusy = errors.New("too many requests of this kind at once; try again shortly")

// admission bounds how many requests of each class are answered at once. As many again
// wait. So no class takes the others' places, and load beyond them is refused at once
// instead of piling up.
type admission struct {
	places, queues [len(classNames)]chan struct{}
}

func newAdmission(cfg Config) *admission {
	a := &admission{}
	for c, n := range map[class]int{simpleClass: cfg.Simple, mediumClass: cfg.Medium, complexClass: cfg.Complex} {
		a.places[c], a.queues[c] = make(chan struct{}, n), make(chan struct{}, n)
	}
	return a
}

// enter waits for a place, which leave gives back. Its error is errBusy or that of ctx.
func (a *admission) enter(ctx context.Context, c class) (leave func(), err error) {
	if c == noClass {
		return func() {}, nil
	}
	leave = func() { <-a.places[c] }
	select {
	case a.places[c] <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case a.queues[c] <- struct{}{}:
		defer func() { <-a.queues[c] }()
	default:
		return nil, errBusy
	}
	timer := time.NewTimer(queueFor)
	defer timer.Stop()
	select {
	case a.places[c] <- struct{}{}:
		return leave, nil
	case <-timer.C:
		return nil, errBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
