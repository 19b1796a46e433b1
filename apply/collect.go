package apply

import (
	"context"
	"errors"
	"time"

	"odastream/stream"
)

// idleWait is how long a poll waits while no batch has begun.
const idleWait = 500 * time.Millisecond

// task is a batch for work, or, with done, a request to report when everything before
// it is applied. done then receives nil, or the error of what cannot be applied.
type task struct {
	segs []segment
	done chan<- error
}

// collect polls, decodes and sends batches to work. It blocks while work writes one
// batch and the next one waits. Meanwhile it does not poll: the client keeps what it
// fetched and fetches no more, and the group's heartbeats go on. So memory stays
// bounded for as long as the database is down.
func (s *Sink) collect(ctx context.Context) error {
	p := pending{cfg: s.cfg, kafka: s.kafka}
	for {
		spans, err := s.consumer.Poll(ctx, s.cfg.BatchRows, p.wait())
		var stuck *stream.StuckError
		ended := errors.Is(err, stream.ErrEnd) || errors.As(err, &stuck)
		if err != nil && !ended {
			return err
		}
		for _, span := range spans {
			for _, full := range p.add(span) {
				s.send(ctx, task{segs: full})
			}
		}
		if p.rows > 0 && (ended || p.wait() <= 0) {
			s.send(ctx, task{segs: p.take()})
		}
		if !ended {
			continue
		}
		if done, err := s.finish(ctx, stuck); done {
			return err
		}
	}
}

// finish waits until everything that was read is applied. It is not done if some
// of it has to be read again because another sink changed the partition's offset.
func (s *Sink) finish(ctx context.Context, stuck *stream.StuckError) (done bool, err error) {
	if err := s.flush(ctx); err != nil {
		return true, err
	}
	if stuck != nil {
		return true, stuck
	}
	return len(s.consumer.Behind()) == 0, nil
}

func (s *Sink) send(ctx context.Context, t task) {
	select {
	case s.queue <- t:
	case <-ctx.Done(): // what was polled is dropped; a restart polls it again
	}
}

// flush waits until everything sent to work is applied.
func (s *Sink) flush(ctx context.Context) error {
	done := make(chan error, 1)
	s.send(ctx, task{done: done})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pending is the batch that is being collected.
type pending struct {
	cfg   Config
	kafka stream.Config
	segs  []segment
	rows  int
	bytes Bytes
	since time.Time
}

// wait is how long the batch may still wait for more records.
func (p *pending) wait() time.Duration {
	if p.rows == 0 {
		return idleWait
	}
	return p.cfg.Linger - time.Since(p.since)
}

// add adds span and returns the batches that it fills.
func (p *pending) add(span stream.Span) (full [][]segment) {
	for {
		n := p.room(span)
		if n == len(span.Records) {
			p.push(span)
			if p.rows == p.cfg.BatchRows || p.bytes >= p.cfg.BatchBytes {
				full = append(full, p.take())
			}
			return full
		}
		if n > 0 {
			var head stream.Span
			head, span = span.Cut(n)
			p.push(head)
		}
		full = append(full, p.take())
	}
}

// room is how many of span's records still fit. An empty batch has room for one of
// any size.
func (p *pending) room(span stream.Span) int {
	bytes := p.bytes
	for i, r := range span.Records {
		bytes += Bytes(size(r))
		if p.rows+i >= p.cfg.BatchRows || bytes > p.cfg.BatchBytes && p.rows+i > 0 {
			return i
		}
	}
	return len(span.Records)
}

func (p *pending) push(span stream.Span) {
	if p.rows == 0 {
		p.since = time.Now()
	}
	p.segs = append(p.segs, newSegment(p.kafka, span))
	p.rows += len(span.Records)
	for _, r := range span.Records {
		p.bytes += Bytes(size(r))
	}
}

func (p *pending) take() []segment {
	segs := p.segs
	p.segs, p.rows, p.bytes = nil, 0, 0
	return segs
}
