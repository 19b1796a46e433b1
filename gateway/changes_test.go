package gateway

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/schema"
	"odastream/stream"
)

// topicsRig is topics, a hub of them, and a server of their changes.
type topicsRig struct {
	*httptest.Server
	publisher *stream.Publisher
	topics    *stream.Topics
	changes   *changes
	stop      func() // stops the hub
	registry  *prometheus.Registry
}

func newTopicsRig(t *testing.T, entities ...string) *topicsRig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: kafkatest.Prefix(t), Partitions: 3}
	cl, err := stream.NewClient(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	topics := stream.NewTopics(cl, cfg, log)
	if err := topics.Ensure(t.Context(), entities); err != nil {
		t.Fatal(err)
	}
	publisher, err := stream.NewPublisher(cfg, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(publisher.Close)
	hub, err := stream.NewHub(cfg, entities, log, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = hub.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait(); hub.Close() })
	machine.Until(t, "the hub to read the topics", func() bool { return hub.Err() == nil })
	changes := newChanges(hub, entities, log)
	registry := prometheus.NewRegistry()
	server := httptest.NewServer(besideChanges(http.NotFoundHandler(), newMetrics(registry).counted(changesPath, changes)))
	t.Cleanup(server.Close)
	return &topicsRig{server, publisher, topics, changes, func() { cancel(); running.Wait() }, registry}
}

func (r *topicsRig) publish(t *testing.T, changes ...schema.Change) {
	t.Helper()
	if _, err := r.publisher.Publish(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
}

func changeOf(entity string, id, seq int64, action schema.Action) schema.Change {
	c := schema.Change{Entity: entity, ID: id, Seq: seq, Action: action, Timestamp: time.UnixMicro(seq).UTC(), Origin: schema.OriginTail}
	if action != schema.Delete {
		c.Data = fmt.Appendf(nil, "{\"id\":%d,\n\"titel\":\"ændring\"}", id)
	}
	return c
}

// ask sends a request and returns its status and body.
func (r *topicsRig) ask(t *testing.T, query string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(machine.Context(t, query), http.MethodGet, r.URL+"/v1/changes?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := r.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// cursorOf is the cursor of a page.
func cursorOf(t *testing.T, page string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, `"cursor":"`)
	cursor, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("page has no cursor: %s", page)
	}
	return cursor
}

func TestAPageHasTheChangesAsOnTheirTopic(t *testing.T) {
	t.Parallel()
	r := newTopicsRig(t, "Sag", "Stemme")
	_, empty := r.ask(t, "")
	first, second := changeOf("Sag", 1, 10, schema.Update), changeOf("Sag", 1, 20, schema.Delete)
	r.publish(t, first, second)
	r.publish(t, changeOf("Stemme", 5, 30, schema.Create))
	var pages []string
	for _, at := range []string{cursorOf(t, empty), "start"} {
		for range 3 {
			_, page := r.ask(t, "entity=sag&wait=10s&limit=1&after="+at)
			if at = cursorOf(t, page); strings.Contains(page, `"changes":[]`) {
				break
			}
			pages = append(pages, strings.Replace(page, at, "…", 1))
			if strings.HasSuffix(page, `"more":false}`) {
				break
			}
		}
	}
	want := []string{
		`{"changes":[` + string(first.AppendJSON(nil)) + `],"cursor":"…","more":true}`,
		`{"changes":[` + string(second.AppendJSON(nil)) + `],"cursor":"…","more":true}`,
	}
	if diff := cmp.Diff(want, pages[:2]); diff != "" {
		t.Errorf("pages from now on (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, pages[len(pages)-2:]); diff != "" {
		t.Errorf("pages from the start (-want +got):\n%s", diff)
	}
}

func TestChangesRefuse(t *testing.T) {
	t.Parallel()
	r := newTopicsRig(t, "Sag")
	for query, want := range map[string]struct {
		status int
		detail string
	}{
		"entities=Sag":                       {400, `no parameter \"entities\"`},
		"entity=Sagg":                        {400, "entity: "},
		"entity=M%C3%B8de":                   {404, "entity: "},
		"limit=0":                            {400, "limit: "},
		"limit=10001":                        {400, "limit: "},
		"limit=1e3":                          {400, "limit: "},
		"wait=61s":                           {400, "wait: "},
		"wait=-1s":                           {400, "wait: "},
		"wait=30":                            {400, "wait: "},
		"after=gestern":                      {400, "after: "},
		"after=%00%FF":                       {400, "after: "},
		"after=" + strings.Repeat("A", 9000): {400, "after: "},
	} {
		res, body := r.ask(t, query)
		if res.StatusCode != want.status || !strings.Contains(body, want.detail) || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("?%.40s = %d %s %s, want %d with %q", query, res.StatusCode, res.Header.Get("Content-Type"), body, want.status, want.detail)
		}
	}
	families, err := r.registry.Gather()
	if err != nil || !strings.Contains(fmt.Sprint(families), `value:"404"`) {
		t.Errorf("no request with 404 was counted: %v %v", families, err)
	}
}

// readEvents reads events from a stream until n of them have an event's name; comments and
// bare places are left out.
func readEvents(t *testing.T, from *bufio.Reader, n int) (events []string) {
	t.Helper()
	var lines []string
	for len(events) < n {
		line, err := from.ReadString('\n')
		if err != nil {
			t.Fatalf("read events after %q: %v", events, err)
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == "" && strings.Contains(strings.Join(lines, "\n"), "event: "):
			events, lines = append(events, strings.Join(lines, "\n")), nil
		case line == "":
			lines = nil
		case line != "" && !strings.HasPrefix(line, ":"):
			lines = append(lines, line)
		}
	}
	return events
}

// open opens an event stream.
func (r *topicsRig) open(t *testing.T, query string, header ...string) (*http.Response, *bufio.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(machine.Context(t, "events"), http.MethodGet, r.URL+"/v1/changes?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := r.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res, bufio.NewReader(res.Body)
}

func TestEventsGoOnAtTheLastEventID(t *testing.T) {
	t.Parallel()
	r := newTopicsRig(t, "Sag")
	res, first := r.open(t, "after=start&limit=1")
	if got := res.Header.Get("Content-Type") + " " + res.Header.Get("X-Accel-Buffering") + res.Header.Get("Content-Encoding"); got != "text/event-stream no" {
		t.Errorf("headers of an event stream = %q", got)
	}
	r.publish(t, changeOf("Sag", 1, 10, schema.Update), changeOf("Sag", 1, 20, schema.Delete))
	got := readEvents(t, first, 2)
	r.publish(t, changeOf("Sag", 1, 30, schema.Create))
	id, _, _ := strings.Cut(strings.TrimPrefix(got[0], "id: "), "\n")
	_, second := r.open(t, "after=start&limit=1", "Last-Event-ID", id)
	again := readEvents(t, second, 2)
	for i, events := range [][]string{got, again} {
		for j, e := range events {
			_, data, _ := strings.Cut(e, "\n")
			seq := int64(10 * (i + j + 1))
			action := []schema.Action{schema.Update, schema.Delete, schema.Create}[i+j]
			c := changeOf("Sag", 1, seq, action)
			want := "event: change\ndata: " + strings.ReplaceAll(string(c.AppendJSON(nil)), "\n", " ")
			if data != want {
				t.Errorf("event %d of stream %d =\n%s\nwant:\n%s", j, i, data, want)
			}
		}
	}
}

// A client that is cut off before its first event goes on where it began: it knows the
// place from the beginning.
func TestAnEventStreamBeginsWithItsPlace(t *testing.T) {
	t.Parallel()
	r := newTopicsRig(t, "Sag")
	r.publish(t, changeOf("Sag", 1, 10, schema.Update))
	machine.Until(t, "the hub to have the change", func() bool {
		_, page := r.ask(t, "after=start")
		return strings.Contains(page, `"seq":10`)
	})
	res, first := r.open(t, "")
	var id string
	for id == "" {
		line, err := first.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		id, _ = strings.CutPrefix(strings.TrimSpace(line), "id: ")
		if !strings.HasPrefix(line, "id: ") {
			id = ""
		}
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	r.publish(t, changeOf("Sag", 1, 20, schema.Update))
	_, second := r.open(t, "", "Last-Event-ID", id)
	if got := readEvents(t, second, 1); !strings.Contains(got[0], `"seq":20`) {
		t.Errorf("the first event after the place is %q, want the change that came meanwhile", got[0])
	}
}

// fakeSource is a source that answers as a test says.
type fakeSource struct {
	mu    sync.Mutex
	pages []stream.Page
	errs  []error
	asked []string
}

func (s *fakeSource) Start([]string) (stream.Cursor, error) { return stream.Cursor{}, nil }
func (s *fakeSource) Now([]string) (stream.Cursor, error)   { return stream.Cursor{}, nil }

func (s *fakeSource) Changes(ctx context.Context, _ []string, _ stream.Cursor, limit int, wait time.Duration) (page stream.Page, err error) {
	s.mu.Lock()
	s.asked = append(s.asked, fmt.Sprint(limit, " ", wait))
	if len(s.pages) == 0 {
		s.mu.Unlock()
		<-ctx.Done()
		return page, ctx.Err()
	}
	defer s.mu.Unlock()
	page, err = s.pages[0], s.errs[0]
	if len(s.pages) > 1 || err != nil {
		s.pages, s.errs = s.pages[1:], s.errs[1:]
	}
	return page, err
}

func faked(t *testing.T, s *fakeSource) *topicsRig {
	t.Helper()
	changes := newChanges(s, []string{"Sag"}, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(changes)
	t.Cleanup(server.Close)
	return &topicsRig{Server: server, changes: changes}
}

func TestACursorThatIsTooOldIsToldOnce(t *testing.T) {
	t.Parallel()
	old := &stream.TooOldError{Topic: "parliament-sag", Why: "it was recreated"}
	r := faked(t, &fakeSource{pages: make([]stream.Page, 1), errs: []error{old}})
	res, body := r.ask(t, "")
	if res.StatusCode != http.StatusGone || !strings.Contains(body, `"cursor":"`+old.Now.String()) || !strings.Contains(body, "recreated") {
		t.Errorf("a page after a cursor that is too old = %d %s, want 410 with a cursor", res.StatusCode, body)
	}
	change := stream.Page{Changes: []schema.Change{changeOf("Sag", 1, 10, schema.Update)}}
	r = faked(t, &fakeSource{pages: []stream.Page{{}, change, {}}, errs: []error{old, nil, context.Canceled}})
	_, events := r.open(t, "")
	got := readEvents(t, events, 2)
	if !strings.Contains(got[0], "event: resync\ndata: ") || !strings.HasPrefix(got[0], "id: ") || !strings.Contains(got[1], "event: change") {
		t.Errorf("events after a cursor that is too old = %q, want resync and then the change", got)
	}
}

func TestWithoutKafkaChangesAre503(t *testing.T) {
	t.Parallel()
	r := faked(t, &fakeSource{pages: make([]stream.Page, 1), errs: []error{fmt.Errorf("%w: dial tcp: secret", stream.ErrUnreachable)}})
	res, body := r.ask(t, "")
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || strings.Contains(body, "secret") {
		t.Errorf("a page without Kafka = %d %s, want 503 with Retry-After", res.StatusCode, body)
	}
}

func TestAWaitOutlastsTheServersLimit(t *testing.T) {
	t.Parallel()
	r := newTopicsRig(t, "Sag")
	limited := httptest.NewUnstartedServer(r.changes)
	limited.Config.WriteTimeout = 50 * time.Millisecond
	limited.Start()
	t.Cleanup(limited.Close)
	r.Server = limited
	_, events := r.open(t, "")
	page := make(chan string, 1)
	go func() {
		_, body := r.ask(t, "wait=1m")
		page <- body
	}()
	machine.Until(t, "both to wait", func() bool { return len(r.changes.places) == 2 })
	timer := time.NewTimer(200 * time.Millisecond)
	<-timer.C
	r.publish(t, changeOf("Sag", 1, 10, schema.Update))
	if body := machine.Recv(t, "the page", page); !strings.Contains(body, `"seq":10`) {
		t.Errorf("page after the server's limit = %s", body)
	}
	readEvents(t, events, 1)
}

func TestAnEventStreamEndsWithTheGateway(t *testing.T) {
	t.Parallel()
	r := newTopicsRig(t, "Sag")
	_, events := r.open(t, "")
	r.stop()
	if _, err := io.ReadAll(events); err != nil {
		t.Errorf("the end of an event stream = %v, want none that the client notices", err)
	}
	if res, body := r.ask(t, "wait=1m"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a page of a gateway that has ended = %d %s, want 503", res.StatusCode, body)
	}
}

// A client that reads nothing is cut off, and costs no more than the buffers between.
func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	big := changeOf("Sag", 1, 10, schema.Update)
	big.Data = append(append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), 1<<20)...), `"}`...)
	source := &fakeSource{pages: []stream.Page{{Changes: []schema.Change{big}, More: true}}, errs: []error{nil}} // again and again
	changes := newChanges(source, []string{"Sag"}, slog.New(slog.DiscardHandler))
	changes.within = 100 * time.Millisecond
	server := httptest.NewServer(changes)
	t.Cleanup(server.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /v1/changes HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	machine.Until(t, "the stream to begin", func() bool { return len(changes.places) == 1 })
	machine.Until(t, "the client to be cut off", func() bool { return len(changes.places) == 0 })
}

func TestChangesBeyondTheirPlacesAreRefused(t *testing.T) {
	t.Parallel()
	r := faked(t, &fakeSource{})
	r.changes.places = make(chan struct{}, 1)
	r.changes.places <- struct{}{}
	if res, body := r.ask(t, ""); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("a request beyond the places = %d %s, want 503 with Retry-After", res.StatusCode, body)
	}
}
