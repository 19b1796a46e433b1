package oda

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"pgregory.net/rapid"
)

func TestRetryAfterHasTwoForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 15, 10, 0, 0, time.UTC)
	tests := map[string]struct {
		value string
		want  time.Duration
	}{
		"none":                             {"", 0},
		"seconds":                          {"120", 2 * time.Minute},
		"seconds with spaces":              {" 3 ", 3 * time.Second},
		"no wait":                          {"0", 0},
		"a date":                           {"Mon, 23 Nov 2026 15:10:30 GMT", 30 * time.Second},
		"a date of an older form":          {"Monday, 23-Nov-26 15:10:30 GMT", 30 * time.Second},
		"a date of C":                      {"Mon Nov 23 15:10:30 2026", 30 * time.Second},
		"a date that has passed":           {"Mon, 23 Nov 2026 15:09:30 GMT", 0},
		"a date far away":                  {"Mon, 23 Nov 2099 15:09:30 GMT", 24 * time.Hour},
		"many seconds":                     {"99999999", 24 * time.Hour},
		"more seconds than a Duration has": {"99999999999999999999999999", 0},
		"a negative number":                {"-5", 0},
		"a fraction":                       {"1.5", 0},
		"words":                            {"soon", 0},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := parseRetryAfter(tt.value, now); got != tt.want {
				t.Errorf("parseRetryAfter(%q) = %s, want %s", tt.value, got, tt.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "120", "Mon, 23 Nov 2026 15:10:30 GMT", "-1", "9223372036854775807", "18446744073709551615", "0x10", "Mon Nov 23 15:10:30 2026"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 15, 10, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got := parseRetryAfter(value, now)
		if got < 0 || got > 24*time.Hour {
			t.Errorf("parseRetryAfter(%q) = %s, want 0 to 24h", value, got)
		}
		if date, err := http.ParseTime(strings.TrimSpace(value)); err == nil && date.After(now) && got == 0 {
			t.Errorf("parseRetryAfter(%q) = 0, want until %s", value, date)
		}
	})
}

func TestDelayIsRetryAfterPlusFullJitter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		tries := rapid.IntRange(1, 100).Draw(rt, "tries")
		asked := time.Duration(rapid.IntRange(0, 300).Draw(rt, "asked")) * time.Second
		got := delay(tries, &Error{Kind: ErrServer, RetryAfter: asked}, 0)
		low := min(asked, maxRetryAfter)
		if got < low || got >= low+maxDelay || tries == 1 && got >= low+firstDelay {
			rt.Errorf("delay after %d tries and Retry-After %s is %s", tries, asked, got)
		}
	})
	var least, most time.Duration = time.Hour, 0
	for range 1000 {
		d := delay(5, &Error{Kind: ErrServer}, 0)
		least, most = min(least, d), max(most, d)
	}
	if least > time.Second || most < 7*time.Second {
		t.Errorf("1000 fifth delays lie between %s and %s, want them spread over 0s to 8s", least, most)
	}
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		after func(now time.Time) string
		want  time.Duration
	}{
		"seconds":        {func(time.Time) string { return "30" }, 30 * time.Second},
		"a date":         {func(now time.Time) string { return now.UTC().Add(40 * time.Second).Format(http.TimeFormat) }, 40 * time.Second},
		"no longer than": {func(time.Time) string { return "100000" }, maxRetryAfter},
		"no Retry-After": {func(time.Time) string { return "" }, 0},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			busy := func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tt.after(time.Now()))
				w.WriteHeader(http.StatusTooManyRequests)
			}
			inBubble(t, Config{}, first(busy, answer(pageOf("Sag")), answer(pageOf("Stemme"))), func(t *testing.T, c *Client, _ *source) {
				start := time.Now()
				if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
					t.Fatalf("Page: %v", err)
				}
				if took := time.Since(start); took < tt.want || took > tt.want+firstDelay {
					t.Errorf("the second try came after %s, want %s and up to %s more", took, tt.want, firstDelay)
				}
			})
		})
	}
}

func TestRetryAfterBlocksOtherRequests(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	inBubble(t, Config{}, first(busy, answer(pageOf("Sag"))), func(t *testing.T, c *Client, _ *source) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = c.Page(ctx, "Sag", aboveZero, Scan) // gets the Retry-After, then its context ends
		if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
			t.Fatalf("Page: %v", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("another request was sent after %s, want 30s", took)
		}
	})
}

func TestCancelEndsAWaitAtOnce(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "100")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	inBubble(t, Config{}, busy, func(t *testing.T, c *Client, _ *source) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()
		_, err := c.Page(ctx, "Sag", aboveZero, Tail)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("ended after %s, want 5s", took)
		}
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrServer) {
			t.Errorf("Page: %v, want context.Canceled", err)
		}
		if f, ok := errors.AsType[*Error](err); !ok || f.Set != "Sag" || f.Tries != 1 {
			t.Errorf("Page: %#v, want the set and one try", err)
		}
	})
}

func TestBreakerOpensAndCloses(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	broken := true
	h := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			status(503, "", "")(w, r)
			return
		}
		answer(pageOf("Sag"))(w, r)
	}
	inBubble(t, Config{}, h, func(t *testing.T, c *Client, s *source) {
		for range 2 {
			if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); !errors.Is(err, ErrServer) {
				t.Fatalf("Page: %v, want %v", err, ErrServer)
			}
		}
		if got := c.breaker.State(); got != circuitbreaker.OpenState {
			t.Fatalf("breaker is %s after %d failures, want open", got, len(s.asked()))
		}
		err := c.Reachable(t.Context())
		if !errors.Is(err, ErrOpen) || !errors.Is(err, ErrServer) || len(s.asked()) != breakerFailures {
			t.Errorf("Reachable: %v after %d requests, want %v because of %v, and nothing sent", err, len(s.asked()), ErrOpen, ErrServer)
		}
		mu.Lock()
		broken = false
		mu.Unlock()
		if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
			t.Errorf("Page once the source is back: %v", err)
		}
		if got := c.breaker.State(); got != circuitbreaker.ClosedState {
			t.Errorf("breaker is %s after a good page, want closed", got)
		}
	})
}

func TestHalfOpenBreakerAllowsOneRequestAtATime(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{Concurrency: 20}, status(503, "", ""), func(t *testing.T, c *Client, s *source) {
		start := time.Now()
		for time.Since(start) < time.Minute {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { _, _ = c.Page(t.Context(), "Sag", aboveZero, Scan) })
			}
			wg.Wait()
		}
		// A minute and a bit holds at most 20 openings of 4 s and more; the first 20
		// requests may be running before it opens.
		if got := len(s.asked()); got > 20+int(time.Since(start)/(4*time.Second))+1 {
			t.Errorf("%d requests in %s to a source that is down", got, time.Since(start))
		}
	})
}

func TestOneSetThatFailsDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	h := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/Dokument") {
			status(500, "", "")(w, r)
			return
		}
		answer(pageOf("Sag"))(w, r)
	}
	inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
		for range 30 {
			if _, err := c.Page(t.Context(), "Dokument", aboveZero, Scan); !errors.Is(err, ErrServer) {
				t.Fatalf("Page: %v, want %v", err, ErrServer)
			}
			if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
				t.Fatalf("Page of a set that works: %v", err)
			}
		}
	})
}

// dokumentFails answers requests for Dokument with h, and others with an empty page.
func dokumentFails(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		set := strings.TrimPrefix(r.URL.Path, "/api/")
		if set == "Dokument" {
			h(w, r)
			return
		}
		answer(pageOf(set))(w, r)
	}
}

// A set that fails while no other is asked says nothing of the others.
func TestOneSetAloneDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for claim, h := range map[string]http.HandlerFunc{
		"500":            status(500, "", ""),
		"an HTML page":   status(200, "text/html", htmlPage),
		"a page cut off": answer(pageOf("Dokument")[:40]),
		"no answer ever": silent,
		"a long pause": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "86400")
			status(503, "", "")(w, r)
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, dokumentFails(h), func(t *testing.T, c *Client, _ *source) {
				if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
					t.Fatal(err)
				}
				for range 2 * breakerFailures {
					if _, err := c.Page(t.Context(), "Dokument", aboveZero, Scan); err == nil || errors.Is(err, ErrOpen) {
						t.Fatalf("Page of the set that fails: %v, want its own fault", err)
					}
				}
				start := time.Now()
				if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil || time.Since(start) > time.Second {
					t.Errorf("Page of another set: %v after %s", err, time.Since(start))
				}
			})
		})
	}
}

func TestAPauseForOneSetHoldsNoOther(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "86400")
		status(503, "", "")(w, r)
	}
	inBubble(t, Config{Rate: 5}, dokumentFails(busy), func(t *testing.T, c *Client, _ *source) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 9 {
			wg.Go(func() { _, _ = c.Page(ctx, "Dokument", aboveZero, Scan) })
		}
		pages := 0
		for ctx.Err() == nil {
			if _, err := c.Page(ctx, "Sag", aboveZero, Tail); err == nil {
				pages++
			}
			if !c.PausedUntil("Sag").IsZero() {
				t.Fatalf("Sag is paused until %s", c.PausedUntil("Sag"))
			}
		}
		if pages < 580 || c.PausedUntil("Dokument").IsZero() {
			t.Errorf("%d pages of another set in two minutes at 5 a second, want some 590; Dokument is paused until %s",
				pages, c.PausedUntil("Dokument"))
		}
		wg.Wait()
	})
}

// A source that asks everybody to wait is not asked for each set in turn.
func TestAPauseForTwoSetsIsForAll(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		status(429, "", "")(w, r)
	}
	inBubble(t, Config{Rate: 100}, busy, func(t *testing.T, c *Client, s *source) {
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
		defer cancel()
		for _, set := range []string{"Sag", "Aktør", "Møde", "Stemme"} {
			go func() { _, _ = c.Page(ctx, set, aboveZero, Tail) }()
			<-time.After(time.Second)
		}
		<-ctx.Done()
		if got := len(s.asked()); got != 2 {
			t.Errorf("%d requests in the first minute, want 2: of the first set, and of one other", got)
		}
	})
}

func TestRefusalsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"404":                       status(404, "text/html", htmlPage),
		"400":                       status(400, "", ""),
		"a filter that was ignored": answer(pageOf("Sag", row(-1, ""))),
	}
	for claim, h := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
				for range 3 * breakerFailures {
					_, _ = c.Page(t.Context(), "Sag", aboveZero, Tail)
				}
				if got := c.breaker.State(); got != circuitbreaker.ClosedState {
					t.Errorf("breaker is %s, want closed", got)
				}
			})
		})
	}
}

func TestACancelledTrialOpensTheBreakerAgain(t *testing.T) {
	t.Parallel()
	failures := make([]http.HandlerFunc, breakerFailures, breakerFailures+2)
	for i := range failures {
		failures[i] = status(503, "", "")
	}
	h := first(append(failures, silent, answer(pageOf("Sag")))...)
	inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
		for range 2 {
			_, _ = c.Page(t.Context(), "Sag", aboveZero, Tail)
		}
		<-time.After(2 * breakerDelay)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Page(ctx, "Sag", aboveZero, Tail); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Page: %v, want the context's end", err)
		}
		if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
			t.Errorf("Page after a trial that was given up: %v", err)
		}
	})
}
