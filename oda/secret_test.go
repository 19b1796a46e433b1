package oda

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"odastream/odasim"
)

// The credentials and query of an address go only to the source: no error, report or
// log line shows them.
func TestTheUserOfTheAddressIsShownNowhere(t *testing.T) {
	t.Parallel()
	for claim, user := range map[string]string{"a user and a password": "hunter11:hunter22", "a token": "hunter22"} {
		for fault, h := range map[string]http.HandlerFunc{
			"a connection that breaks": hijacked(""),
			"a refusal":                status(403, "text/html", htmlPage),
			"silence":                  silent,
			"a redirect":               sendTo(302, "http://other.test/"),
			"HTML":                     status(200, "text/html", htmlPage),
			"a good source":            odasim.New(odasim.Options{}).ServeHTTP,
		} {
			t.Run(claim+", "+fault, func(t *testing.T) {
				t.Parallel()
				var out bytes.Buffer
				var signedIn bool
				cfg := Config{URL: "http://" + user + "@source.test/api"}
				inBubble(t, cfg, func(w http.ResponseWriter, r *http.Request) {
					_, _, signedIn = r.BasicAuth()
					h(w, r)
				}, func(t *testing.T, c *Client, _ *source) {
					log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
					c.retry = newRetry(c.breaker, c.metrics, log)
					_, pageErr := c.Page(t.Context(), "Sag", aboveZero, Tail)
					report, probeErr := c.Probe(t.Context(), nil)
					log.Error("asked", "page", pageErr, "probe", probeErr, "reachable", c.Reachable(t.Context()))
					if f, ok := errors.AsType[*Error](pageErr); ok {
						log.Error("asked", "url", f.URL)
					}
					_ = json.NewEncoder(&out).Encode(report)
				})
				if strings.Contains(out.String(), "hunter") || strings.Contains(cfg.Public(), "hunter") {
					t.Errorf("shown: %s\n%s", cfg.Public(), out.String())
				}
				if !signedIn || !strings.Contains(out.String(), "source.test") {
					t.Errorf("signed in %t, want so, and the host shown in %s", signedIn, out.String())
				}
			})
		}
	}
}

func TestABrokenProxyIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	c, err := New(Config{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport.(*http.Transport).Proxy = hideProxyAddress(func(*http.Request) (*url.URL, error) {
		return nil, errors.New(`invalid proxy address "http://me:hunter22@pro%zzxy": parse`)
	})
	err = c.Reachable(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Errorf("Reachable: %v, want the variable and not its value", err)
	}
}
