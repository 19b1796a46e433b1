package oda

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sendTo answers with a redirect.
func sendTo(code int, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(code)
	}
}

func TestRedirectsElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		base, location string
		names          []string
	}{
		"another host":                        {"http://source.test/api", "http://other.test/api/Sag", []string{"http://source.test", "http://other.test"}},
		"another host without a scheme":       {"http://source.test/api", "//other.test/api/Sag", []string{"http://other.test"}},
		"another host over https":             {"http://source.test/api", "https://other.test/api/Sag", []string{"https://other.test"}},
		"a host below this one":               {"http://source.test/api", "http://www.source.test/api/Sag", []string{"http://www.source.test"}},
		"another port":                        {"http://source.test/api", "http://source.test:8080/api/Sag", []string{"http://source.test:8080"}},
		"https on a port of its own":          {"http://source.test:8080/api", "https://source.test:8443/api/Sag", []string{"https://source.test:8443"}},
		"a file":                              {"http://source.test/api", "file:///etc/passwd", []string{"file://"}},
		"another scheme on the same host":     {"http://source.test/api", "ftp://source.test/api/Sag", []string{"ftp://source.test"}},
		"a host that looks like the user":     {"http://source.test/api", "http://source.test@other.test/api/Sag", []string{"http://other.test"}},
		"another host, with a password in it": {"http://source.test/api", "http://me:hunter2@other.test/api/Sag", []string{"http://other.test"}},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			h := first(sendTo(http.StatusFound, tt.location), answer(pageOf("Sag", row(1, ""))))
			inBubble(t, Config{URL: tt.base}, h, func(t *testing.T, c *Client, s *source) {
				page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
				if !errors.Is(err, ErrRedirected) || len(page.Rows) != 0 {
					t.Fatalf("Page = %d rows, %v, want %v", len(page.Rows), err, ErrRedirected)
				}
				for _, want := range append(tt.names, "http://source.test", "ODA_URL", "status 302") {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("Page: %v, want %q in it", err, want)
					}
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("Page: %v holds a password", err)
				}
				if got := len(s.asked()); got != 1 {
					t.Errorf("%d requests, want 1", got)
				}
				if !IsUnreachable(err) {
					t.Errorf("IsUnreachable(%v) is false", err)
				}
			})
		})
	}
}

// The handler does not serve TLS, so this tests the rule itself.
func TestRedirectFromHTTPSToHTTPIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		from, to string
		want     bool
	}{
		"the same":                              {"https://source.test/api", "https://source.test/v2", true},
		"the port of the scheme, written out":   {"https://source.test/api", "https://source.test:443/api", true},
		"a name in another case":                {"https://source.test/api", "https://SOURCE.test/api", true},
		"from http to https":                    {"http://source.test/api", "https://source.test/api", true},
		"from https to http":                    {"https://source.test/api", "http://source.test/api", false},
		"from https to http on the port of TLS": {"https://source.test/api", "http://source.test:443/api", false},
		"from http to https on another port":    {"http://source.test/api", "https://source.test:8443/api", false},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.from, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := redirectOf(&http.Response{StatusCode: 301, Header: http.Header{"Location": {tt.to}}, Request: req})
			if got := f.is(errRedirect); got != tt.want {
				t.Errorf("redirected from %s to %s: %v, want followed %t", tt.from, tt.to, f.Cause, tt.want)
			}
		})
	}
}

func TestRedirectsAtTheSourceAreFollowed(t *testing.T) {
	t.Parallel()
	for claim, location := range map[string]string{
		"an absolute address":    "http://source.test/v2/Sag?$top=100",
		"a path":                 "/v2/Sag?$top=100",
		"the port of the scheme": "http://source.test:80/v2/Sag?$top=100",
		"a name in another case": "http://Source.Test/v2/Sag?$top=100",
		"somebody else's user":   "http://eve:pw@source.test/v2/Sag?$top=100#here",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var user string
			h := first(sendTo(http.StatusMovedPermanently, location), func(w http.ResponseWriter, r *http.Request) {
				user, _, _ = r.BasicAuth()
				answer(pageOf("Sag", row(1, "")))(w, r)
			})
			inBubble(t, Config{URL: "http://me:pw@source.test/api"}, h, func(t *testing.T, c *Client, s *source) {
				page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
				if err != nil || len(page.Rows) != 1 {
					t.Fatalf("Page = %d rows, %v, want 1", len(page.Rows), err)
				}
				if got := s.asked(); len(got) != 2 || got[1] != "/v2/Sag?$top=100" {
					t.Errorf("asked %q, want the new address second", got)
				}
				if user != "me" {
					t.Errorf("signed in as %q, want the user of ODA_URL", user)
				}
			})
		})
	}
}

func TestRowsBehindARedirectAreChecked(t *testing.T) {
	t.Parallel()
	h := first(sendTo(http.StatusFound, "/api/Sag"), answer(pageOf("Sag", row(7, ""))))
	inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
		w := aboveZero
		w.IDs.Low = 7
		if _, err := c.Page(t.Context(), "Sag", w, Tail); !errors.Is(err, ErrNotHonoured) {
			t.Errorf("Page: %v, want %v", err, ErrNotHonoured)
		}
	})
}

func TestEachRedirectTakesFromTheBudget(t *testing.T) {
	t.Parallel()
	h := first(sendTo(307, "/a"), sendTo(308, "/b"), sendTo(303, "/c"), answer(pageOf("Sag")))
	inBubble(t, Config{Rate: 2, Concurrency: 1}, h, func(t *testing.T, c *Client, s *source) {
		began := time.Now()
		if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
			t.Fatalf("Page: %v", err)
		}
		if took := time.Since(began); took != 3*time.Second/2 || len(s.asked()) != 4 {
			t.Errorf("%d requests took %s, want 4 in 1.5s at 2 a second", len(s.asked()), took)
		}
		got := counted(t, c.metrics)
		if got["requests_total{outcome=moved,set=Sag}"] != 3 || got["requests_total{outcome=ok,set=Sag}"] != 1 {
			t.Errorf("counted %v, want 3 moved and 1 ok", got)
		}
	})
}

func TestCircularRedirectsEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, sendTo(302, "/api/Sag"), func(t *testing.T, c *Client, s *source) {
		_, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
		if !errors.Is(err, ErrRedirected) || !strings.Contains(err.Error(), "4 redirects in a row") {
			t.Errorf("Page: %v, want %v after 4 in a row", err, ErrRedirected)
		}
		if got := len(s.asked()); got != 4 {
			t.Errorf("%d requests, want 4", got)
		}
	})
}

func TestARedirectWithoutAnAddressIsNotOData(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"", "http://%zz/"} {
		inBubble(t, Config{}, sendTo(302, location), func(t *testing.T, c *Client, _ *source) {
			if err := c.Reachable(t.Context()); !IsUnreachable(err) {
				t.Errorf("Reachable of %q: %v, want an error of the address", location, err)
			}
		})
	}
}

func TestEveryMethodRefusesARedirect(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, sendTo(302, "http://other.test/"), func(t *testing.T, c *Client, _ *source) {
		_, pageErr := c.Page(t.Context(), "Sag", aboveZero, Tail)
		_, countErr := c.Count(t.Context(), "Sag", aboveZero, Scan)
		_, extentErr := c.Extent(t.Context(), "Sag", Scan)
		_, metaErr := c.Metadata(t.Context())
		_, probeErr := c.Probe(t.Context(), nil)
		for name, err := range map[string]error{
			"Page": pageErr, "Count": countErr, "Extent": extentErr, "Metadata": metaErr, "Reachable": c.Reachable(t.Context()), "Probe": probeErr,
		} {
			if !errors.Is(err, ErrRedirected) || !strings.Contains(err.Error(), "http://other.test") {
				t.Errorf("%s: %v, want %v to http://other.test", name, err, ErrRedirected)
			}
		}
	})
}
