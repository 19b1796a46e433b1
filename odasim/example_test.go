package odasim_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"odastream/odasim"
)

// A test puts rows into a parliament, and gives its address to the program under test.
func ExampleServer() {
	sim := odasim.New(odasim.Options{PublicURL: "https://oda.ft.dk/api"})
	if err := sim.Put("Sag", []byte(`{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}`)); err != nil {
		log.Fatal(err)
	}
	source := httptest.NewServer(sim)
	defer source.Close()

	fmt.Println(ask(http.MethodGet, source.URL+odasim.Root+"/Sag", ""))
	// Output: 200 OK {"odata.metadata":"https://oda.ft.dk/api/$metadata#Sag","value":[{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}]}
}

// Generate fills all sets. The same seed and scale give the same rows.
func ExampleServer_Generate() {
	sim := odasim.New(odasim.Options{})
	sim.Generate(1, 0.1)
	fmt.Println(sim.Len("Sag"), "cases,", sim.Len("Stemme"), "votes of members")
	// Output: 37 cases, 716 votes of members
}

// Edit changes a row as the source sometimes does: without a new stamp.
func ExampleServer_Edit() {
	sim := odasim.New(odasim.Options{})
	if err := sim.Put("Sag", []byte(`{"id":7,"titel":"Om brød","opdateringsdato":"2026-11-23T16:09:58.347"}`)); err != nil {
		log.Fatal(err)
	}
	if err := sim.Edit("Sag", 7, "titel", "Om smør"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(sim.Row("Sag", 7)))
	// Output: {"id":7,"titel":"Om smør","opdateringsdato":"2026-11-23T16:09:58.347"}
}

// SetFaults spoils the answers. The rows do not change.
func ExampleServer_SetFaults() {
	sim := odasim.New(odasim.Options{})
	source := httptest.NewServer(sim)
	defer source.Close()

	sim.SetFaults(odasim.Faults{ErrorRate: 1, ErrorStatus: http.StatusServiceUnavailable})
	status, _ := ask(http.MethodGet, source.URL+odasim.Root+"/Sag", "")
	fmt.Println(status)
	// Output: 503 Service Unavailable
}

// Control lets a test in any language change the rows while they are served.
func ExampleServer_Control() {
	sim := odasim.New(odasim.Options{})
	routes := http.NewServeMux()
	routes.Handle("/", sim)
	routes.Handle(odasim.ControlRoot+"/", sim.Control())
	source := httptest.NewServer(routes)
	defer source.Close()

	status, _ := ask(http.MethodPut, source.URL+"/sim/rows/Sag", `{"id":7,"titel":"Om brød"}`)
	fmt.Println(status, string(sim.Row("Sag", 7)))
	// Output: 204 No Content {"id":7,"titel":"Om brød"}
}

// ask sends a request and returns the answer.
func ask(method, url, body string) (status, answer string) {
	request, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		log.Fatal(err)
	}
	return reply.Status, string(text)
}
