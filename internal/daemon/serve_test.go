package daemon

import (
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestServeAnswersForAJobOfAnotherProgram(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	job := Job{
		Ready:  func() (bool, any) { return false, "one entity is behind" },
		Status: func() any { return map[string]int{"rows": 7} },
	}
	quiet := slog.New(slog.DiscardHandler)
	e, err := Serve(t.Context(), addr, job, NewRegistry(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/healthz": "ok", "/readyz": "one entity is behind", "/status": `"rows": 7`, "/metrics": "go_goroutines",
	} {
		if _, got := get(t, addr, path); !strings.Contains(got, want) {
			t.Errorf("GET %s = %q, want it to hold %q", path, got, want)
		}
	}
	if _, err := Serve(t.Context(), addr, job, NewRegistry(), quiet); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("Serve on a taken address = %v, want an error that names it", err)
	}
	e.Close()
	var d net.Dialer
	if conn, err := d.DialContext(t.Context(), "tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("the address still answers after Close")
	}
}
