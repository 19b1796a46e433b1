package odasim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// command sends a control command and returns its status and answer.
func command(t *testing.T, s *Server, method, target, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Control().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, ControlRoot+target, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestControl(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newSim(Options{Now: func() time.Time { return at }})
	for _, step := range []struct {
		method, target, body string
		holds                func() bool
	}{
		{"PUT", "/rows/Akt%C3%B8r", `{"id": 1, "navn": "Bo"}`, func() bool { return string(s.Row("Aktør", 1)) == `{"id":1,"navn":"Bo"}` }},
		{"PATCH", "/rows/Akt%C3%B8r/1", `{"z": [1], "navn": "Åse", "a": null}`, func() bool { return string(s.Row("Aktør", 1)) == `{"id":1,"navn":"Åse","a":null,"z":[1]}` }},
		{"PUT", "/rows/Sag?at=2026-11-24T12:00:01Z", `{"id":1}`, func() bool { return s.Len("Sag") == 0 }},
		{"PUT", "/now?now=2026-11-24T12:00:01Z", ``, func() bool { ask(t, s, "/Sag"); return s.Len("Sag") == 1 }},
		{"DELETE", "/rows/Sag/1", ``, func() bool { return s.Len("Sag") == 0 }},
		{"PUT", "/missing/Sag?missing=true", ``, func() bool { return ask(t, s, "/Sag").Code == 404 }},
		{"PUT", "/missing/Sag?missing=false", ``, func() bool { return ask(t, s, "/Sag").Code == 200 }},
		{"PUT", "/faults?error-rate=1&error-status=503&seed=3", ``, func() bool { return ask(t, s, "/Sag").Code == 503 }},
		{"PUT", "/faults", ``, func() bool { return ask(t, s, "/Sag").Code == 200 }},
	} {
		if code, answer := command(t, s, step.method, step.target, step.body); code != http.StatusNoContent || !step.holds() {
			t.Errorf("%s %s %s: status %d, %q, or without effect", step.method, step.target, step.body, code, answer)
		}
	}
	if code, answer := command(t, s, "GET", "/counts", ""); code != 200 || !strings.Contains(answer, `"Requests":5,"Faults":{"Errors":1,`) {
		t.Errorf("counts: status %d, %s", code, answer)
	}
	if code, answer := command(t, s, "POST", "/step", ""); code != 200 || !strings.HasPrefix(answer, `{"what":"`) {
		t.Errorf("step: status %d, %s", code, answer)
	}
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	for _, c := range []struct{ method, target, body, want string }{
		{"PUT", "/rows/Nope", `{"id":1}`, "Nope"},
		{"PUT", "/rows/Sag", `{`, "put row of Sag"},
		{"PUT", "/rows/Sag?at=today", `{"id":1}`, "today"},
		{"PATCH", "/rows/Sag/x", `{}`, "edit row"},
		{"PATCH", "/rows/Sag/1", `{}`, "no such row"},
		{"PATCH", "/rows/Sag/1", `[`, "read members"},
		{"DELETE", "/rows/Sag/1", ``, "no such row"},
		{"DELETE", "/rows/Sag/x", ``, "delete row"},
		{"PUT", "/missing/Sag?missing=perhaps", ``, "set missing"},
		{"PUT", "/faults?nope=1", ``, "nope"},
		{"PUT", "/faults?error-rate=2", ``, "error rate is 2"},
		{"PUT", "/now?now=today", ``, "set clock"},
	} {
		if code, answer := command(t, s, c.method, c.target, c.body); code != http.StatusBadRequest || !strings.Contains(answer, c.want) {
			t.Errorf("%s %s: status %d, %q, want 400 with %q", c.method, c.target, code, answer, c.want)
		}
	}
	if code, _ := command(t, s, "GET", "/faults", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("another method: status %d, want 405", code)
	}
}
