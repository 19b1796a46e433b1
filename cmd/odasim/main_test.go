package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"odastream/internal/test/machine"
)

// start runs the program until the test ends, and returns its address.
func start(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), in, &stderr)
		_ = in.Close()
	}()
	t.Cleanup(func() {
		stop()
		if got := <-status; got != 0 {
			t.Errorf("stopped with status %d, want 0; stderr %s", got, &stderr)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no line on stdout: %v", err)
	}
	address, ok := strings.CutPrefix(line, "odasim: listening on ")
	if !ok {
		t.Fatalf("stdout says %q, want the address", line)
	}
	return strings.TrimSuffix(address, "\n")
}

// get sends a request and returns the answer's status and body.
func get(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(body)
}

// count returns the number of a set's rows.
func count(t *testing.T, address, set string) string {
	t.Helper()
	_, body := get(t, address+"/"+set+"?$top=1&$inlinecount=allpages")
	var page struct {
		Count string `json:"odata.count"`
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return page.Count
}

func TestServesGeneratedRows(t *testing.T) {
	t.Parallel()
	address := start(t, "-scale", "0.01", "-now", "2019-03-21T10:00:00+01:00")
	if !strings.HasPrefix(address, "http://127.0.0.1:") || !strings.HasSuffix(address, "/api") {
		t.Errorf("address %q, want http://127.0.0.1:PORT/api", address)
	}
	a, body := get(t, address+"/Afstemning?$top=1")
	if a.StatusCode != 200 || !strings.HasPrefix(body, `{"odata.metadata":"`+address+`/$metadata#Afstemning","value":[{"id":1,`) {
		t.Errorf("status %d, body %s", a.StatusCode, body)
	}
	if got := a.Header.Get("Date"); !strings.HasPrefix(got, "Thu, 21 Mar 2019 09:00") {
		t.Errorf("Date %q, want the time of -now", got)
	}
}

func TestFlagsReachTheServer(t *testing.T) {
	t.Parallel()
	address := start(t, "-scale", "0.01", "-page-cap", "20", "-error-rate", "1", "-error-status", "503", "-retry-after", "9s")
	if a, _ := get(t, address+"/Sag"); a.StatusCode != 503 || a.Header.Get("Retry-After") != "9" {
		t.Errorf("status %d, Retry-After %q, want 503 and 9", a.StatusCode, a.Header.Get("Retry-After"))
	}
}

func TestLiveAdds(t *testing.T) {
	t.Parallel()
	address := start(t, "-scale", "0", "-live", "-pace", "1ms")
	machine.Until(t, "a case, at one event a millisecond", func() bool { return count(t, address, "Sag") != "0" })
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		args []string
		want []string
	}{
		"all faults are named at once": {
			[]string{"-page-cap", "-1", "-error-rate", "2", "-scale", "-3", "-pace", "0s", "-late", "-1s", "-now", "today", "more"},
			[]string{"page cap is -1", "error rate is 2", "scale is -3", "pace is 0s", "late is -1s", `now is "today"`, `"more"`},
		},
		"an unknown comparison": {[]string{"-compare", "x"}, []string{`compare is "x", want "ticks" or "text"`}},
		"an unknown flag":       {[]string{"-nope"}, []string{"-nope"}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			if got := run(t.Context(), c.args, io.Discard, &stderr); got != 2 {
				t.Errorf("status %d, want 2", got)
			}
			for _, want := range c.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr lacks %q: %s", want, &stderr)
				}
			}
		})
	}
}

func TestFaultsExitWithOne(t *testing.T) {
	t.Parallel()
	for claim, args := range map[string][]string{
		"no folder":       {"-load", t.TempDir() + "/nope"},
		"no such address": {"-addr", "256.0.0.1:1", "-scale", "0"},
	} {
		var stderr bytes.Buffer
		if got := run(t.Context(), args, io.Discard, &stderr); got != 1 || !strings.HasPrefix(stderr.String(), "odasim: ") {
			t.Errorf("%s: status %d, stderr %q, want 1 and a reason", claim, got, &stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	if got := run(t.Context(), []string{"--help"}, &stdout, io.Discard); got != 0 || !strings.Contains(stdout.String(), "-truncate-rate") {
		t.Errorf("status %d, help %q, want 0 and the flags on stdout", got, &stdout)
	}
}
