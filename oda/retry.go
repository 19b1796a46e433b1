package oda

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

const (
	// maxTries limits the tries of one request; after that the caller decides.
	maxTries = 5
	// maxTimeouts limits the tries that time out: the source keeps working on each of
	// them, and a narrower window helps more.
	maxTimeouts = 2
	// firstDelay and maxDelay bound the wait between two tries: a random part of
	// firstDelay, then of twice that, and so on up to maxDelay.
	firstDelay = 500 * time.Millisecond
	maxDelay   = 10 * time.Second
	// maxRetryAfter is the longest Retry-After that a request waits for.
	maxRetryAfter = 2 * time.Minute
	// breakerFailures failures in a row, over all requests, open the breaker. It lets
	// one request through after breakerDelay.
	breakerFailures = 10
	breakerDelay    = 5 * time.Second
)

// newBreaker returns a client's breaker. It opens only when no request succeeds, so
// that one failing set does not stop the others.
func newBreaker(m *metrics, log *slog.Logger) circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(breakerFailures).
		WithSuccessThreshold(1).
		WithDelay(breakerDelay).
		WithJitterFactor(0.2).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			m.setBreaker(e.NewState)
			log.Warn("circuit breaker of the source changed", "from", e.OldState.String(), "to", e.NewState.String())
		}).
		Build()
}

// newRetry returns the retry policy of a request.
func newRetry(breaker circuitbreaker.CircuitBreaker[any], m *metrics, log *slog.Logger) failsafe.Executor[any] {
	policy := retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool {
			f, ok := errors.AsType[*Error](err)
			return ok && f.isTemporary() && !f.final
		}).
		WithMaxAttempts(maxTries).
		WithDelayFunc(func(try failsafe.ExecutionAttempt[any]) time.Duration {
			f, _ := errors.AsType[*Error](try.LastError())
			return delay(try.Attempts(), f, breaker.RemainingDelay())
		}).
		OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[any]) {
			if f, ok := errors.AsType[*Error](e.LastError()); ok {
				m.retries.WithLabelValues(f.outcome()).Inc()
				log.Warn("request to the source failed, trying again", "set", f.Set, "try", e.Attempts(), "delay", e.Delay, "err", f)
			}
		}).
		ReturnLastFailure().
		Build()
	return failsafe.With(policy)
}

// delay returns the wait after a number of failed tries: full jitter, added to the
// source's Retry-After or to the breaker's remaining delay.
func delay(tries int, f *Error, open time.Duration) time.Duration {
	ceiling := min(maxDelay, firstDelay<<min(tries-1, 10))
	wait := rand.N(ceiling)
	switch {
	case f == nil:
	case errors.Is(f.Kind, ErrOpen):
		wait += open
	case f.RetryAfter > 0:
		wait += min(f.RetryAfter, maxRetryAfter)
	}
	return wait
}

// parseRetryAfter reads a Retry-After header: whole seconds, or an HTTP date compared
// with now. It returns 0 if there is none, if it is malformed or in the past, and at
// most a day.
func parseRetryAfter(value string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(most/time.Second))) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(date.Sub(now), most))
}
