package oda

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestNewNamesEachFaultOfItsConfig(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cfg  Config
		want []string // parts of the error, none for no error
	}{
		"the zero value is the live source":                     {Config{}, nil},
		"another source":                                        {Config{URL: "http://127.0.0.1:8380/api/", Concurrency: 1, Timeout: time.Second}, nil},
		"no address":                                            {Config{URL: "oda.ft.dk"}, []string{"URL", "oda.ft.dk"}},
		"another scheme":                                        {Config{URL: "ftp://oda.ft.dk/api"}, []string{"URL"}},
		"a query":                                               {Config{URL: "https://oda.ft.dk/api?x=1"}, []string{"URL"}},
		"an address that cannot be read":                        {Config{URL: "http://%zz/"}, []string{"URL"}},
		"a negative rate":                                       {Config{Rate: -1}, []string{"RATE", "-1"}},
		"a rate that is not a number":                           {Config{Rate: math.NaN()}, []string{"RATE"}},
		"a contact that would split a header":                   {Config{Contact: "a\r\nHost: b"}, []string{"CONTACT"}},
		"all faults are named at once":                          {Config{URL: "x", Rate: -1, Concurrency: -2, Timeout: -time.Second}, []string{"URL", "RATE", "CONCURRENCY", "TIMEOUT"}},
		"the password of an address is hidden":                  {Config{URL: "ftp://me:secret@x/"}, []string{"URL"}},
		"the password of an address without a scheme is hidden": {Config{URL: "me:secret@x/api"}, []string{"URL"}},
		"the password is hidden if the host has a blank":        {Config{URL: "http://me:secret@x y/api"}, []string{"URL"}},
		"the password is hidden if it has a slash":              {Config{URL: "http://me:1/secret@x/api"}, []string{"URL"}},
		"the password is hidden behind a blank":                 {Config{URL: " http://me:secret@x/api"}, []string{"URL"}},
		"a key in a query is hidden":                            {Config{URL: "http://x/api?key=secret"}, []string{"URL"}},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			c, err := New(tt.cfg, nil, nil)
			if (err != nil) != (tt.want != nil) || (c == nil) != (err != nil) {
				t.Fatalf("New: %v, want an error with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("New: %v holds a password", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("New: %v, want %q in it", err, part)
				}
			}
		})
	}
}

func TestTwoClientsOfOneRegistryAreAnError(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	if _, err := New(Config{}, nil, reg); err != nil {
		t.Fatalf("New: %v", err)
	}
	if _, err := New(Config{}, nil, reg); err == nil {
		t.Error("New registered the same metrics twice without an error")
	}
}
