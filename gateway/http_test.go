package gateway_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestEveryAnswerSaysHowToKeepIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, path := range []string{"/api/", "/api/$metadata", "/api/Sag", "/api/Sag(3)", "/api/Sag/$count"} {
		got := r.get(path)
		for name, want := range map[string]string{
			"Cache-Control":               "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400",
			"Access-Control-Allow-Origin": "*", "DataServiceVersion": "3.0;", "X-Content-Type-Options": "nosniff",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s of %s = %q, want %q", name, path, got.header.Get(name), want)
			}
		}
		vary := strings.Join(got.header.Values("Vary"), ",")
		if !strings.Contains(vary, "Accept-Encoding") || !strings.Contains(vary, "Accept,") && !strings.HasSuffix(vary, "Accept") {
			t.Errorf("Vary of %s = %q", path, vary)
		}
		if _, err := http.ParseTime(got.header.Get("Last-Modified")); err != nil || got.header.Get("ETag") == "" || got.header.Get("X-Request-Id") == "" {
			t.Errorf("%s has no ETag, Last-Modified or X-Request-Id: %v", path, got.header)
		}
		if !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "ETag") {
			t.Errorf("a script cannot read the ETag of %s", path)
		}
	}
	if got := r.get("/api/", "X-Request-Id: mine-1").header.Get("X-Request-Id"); got != "mine-1" {
		t.Errorf("a request named mine-1 is called %q", got)
	}
	if got := r.get("/api/", "X-Request-Id: <b>").header.Get("X-Request-Id"); got == "<b>" || got == "" {
		t.Errorf("a request named <b> is called %q", got)
	}
}

func TestTheAnswerIsCompleteThroughTheEarliestOfItsEntities(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if got := r.get("/api/Sag").header.Get("Odastream-Complete-Through"); got != "" {
		t.Errorf("an entity that was never read whole is complete through %q", got)
	}
	r.exec(`INSERT INTO poller_watermarks (entity_type, consistent_through) VALUES ('Sag', '2026-11-02T10:00:00Z'), ('Periode', '2026-11-01T09:00:00Z')`)
	r.await("/api/Sag", "Odastream-Complete-Through", "2026-11-02T10:00:00Z")
	r.await("/api/Sag?$expand=Periode&$top=1", "Odastream-Complete-Through", "2026-11-01T09:00:00Z")
	r.await("/api/Sag?$expand=Sagstrin&$top=1", "Odastream-Complete-Through", "") // one of them was never read
}

func TestOnlyReadingIsPossible(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "MERGE"} {
		got := r.do(method, "/api/Sag(3)")
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD, OPTIONS" || !strings.Contains(got.body, method) {
			t.Errorf("%s = %d, Allow %q: %s", method, got.status, got.header.Get("Allow"), got.body)
		}
	}
	if got := r.do(http.MethodOptions, "/api/Sag"); got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Methods") == "" {
		t.Errorf("OPTIONS = %d %v", got.status, got.header)
	}
	whole, head := r.get("/api/Sag?$top=3"), r.do(http.MethodHead, "/api/Sag?$top=3")
	if head.status != http.StatusOK || head.body != "" || head.header.Get("ETag") != whole.header.Get("ETag") || head.header.Get("Content-Length") != whole.header.Get("Content-Length") {
		t.Errorf("HEAD = %d %v, want the header of GET: %v", head.status, head.header, whole.header)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/api/Sag", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("GET with a body = %d, want 400", resp.StatusCode)
	}
}

func TestFormatsAreNegotiated(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, c := range []struct {
		path, accept string
		status       int
	}{
		{"/api/Sag?$top=1", "*/*", 200},
		{"/api/Sag?$top=1", "application/json;odata.metadata=none", 200},
		{"/api/Sag?$top=1", "application/json;odata=verbose, */*;q=0.1", 200},
		{"/api/Sag?$top=1", "text/html, application/*;q=0.5", 200},
		{"/api/Sag?$top=1", "application/atom+xml", 406},
		{"/api/Sag?$top=1", "text/html,application/json;q=0", 406},
		{"/api/Sag?$top=1&$format=json", "application/atom+xml", 200},
		{"/api/$metadata", "application/xml", 200},
		{"/api/$metadata", "application/json", 406},
		{"/api/Sag/$count", "text/plain", 200},
	} {
		if got := r.get(c.path, "Accept: "+c.accept); got.status != c.status {
			t.Errorf("GET %s with Accept: %s = %d %s, want %d", c.path, c.accept, got.status, got.body, c.status)
		}
	}
}

// A compressed answer is the same one, with a tag of its own that revalidates it.
func TestAnswersAreCompressed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	plain := r.get("/api/Sag?$top=50")
	for encoding, unpack := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(z io.Reader) (io.Reader, error) { return gzip.NewReader(z) },
		"zstd": func(z io.Reader) (io.Reader, error) { return zstd.NewReader(z) },
	} {
		packed := r.get("/api/Sag?$top=50", "Accept-Encoding: "+encoding)
		if packed.header.Get("Content-Encoding") != encoding || len(packed.body) >= len(plain.body) {
			t.Errorf("%s: Content-Encoding %q, %d bytes of %d", encoding, packed.header.Get("Content-Encoding"), len(packed.body), len(plain.body))
			continue
		}
		z, err := unpack(strings.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if _, err := io.Copy(&body, z); err != nil || body.String() != plain.body {
			t.Errorf("%s: unpacked it is another answer: %v", encoding, err)
		}
		tag := packed.header.Get("ETag")
		if tag == plain.header.Get("ETag") {
			t.Errorf("%s has the tag %s of the uncompressed answer", encoding, tag)
		}
		for _, has := range []string{tag, "W/" + tag, `"other", ` + tag, plain.header.Get("ETag"), "*"} {
			if got := r.get("/api/Sag?$top=50", "Accept-Encoding: "+encoding, "If-None-Match: "+has); got.status != http.StatusNotModified || got.body != "" {
				t.Errorf("%s: If-None-Match %s = %d", encoding, has, got.status)
			}
		}
	}
}
