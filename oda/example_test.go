package oda_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http/httptest"
	"time"

	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
)

// Page reads a set page by page, in order of id.
func ExampleClient_Page() {
	source := httptest.NewServer(parliament(250))
	defer source.Close()

	client, err := oda.New(oda.Config{URL: source.URL + odasim.Root, Contact: "desk@example.org"}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	for window := (oda.Window{IDs: schema.AllIDs()}); ; {
		page, err := client.Page(context.Background(), "Sag", window, oda.Tail)
		if err != nil {
			log.Fatal(err)
		}
		last, more := page.LastID()
		if !more {
			break
		}
		fmt.Println(len(page.Rows), "rows up to id", last)
		window.IDs = schema.IDsAbove(last)
	}
	// Output:
	// 100 rows up to id 100
	// 100 rows up to id 200
	// 50 rows up to id 250
}

// Probe reports whether a source still behaves as the copy needs.
func ExampleClient_Probe() {
	source := httptest.NewServer(parliament(250))
	defer source.Close()

	client, err := oda.New(oda.Config{URL: source.URL + odasim.Root}, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	report, err := client.Probe(context.Background(), []string{"Sag"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("trouble:", report.Trouble())
	fmt.Println("rows of a page:", report.PageCap)
	// Output:
	// trouble: false
	// rows of a page: 100
}

// The source's stamps are Danish wall-clock texts. In October one hour occurs twice,
// and a text in it means two instants.
func ExampleParseWall() {
	earliest, latest, err := oda.ParseWall("2026-10-25T02:30:00")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(earliest.UTC().Format(time.TimeOnly), latest.UTC().Format(time.TimeOnly))
	fmt.Println(oda.Wall(earliest) == oda.Wall(latest))
	// Output:
	// 00:30:00 01:30:00
	// true
}

// parliament returns a source with n cases.
func parliament(n int) *odasim.Server {
	sim := odasim.New(odasim.Options{})
	for id := 1; id <= n; id++ {
		row := fmt.Sprintf(`{"id":%d,"titel":"Sag %d","opdateringsdato":"2026-11-23T16:09:58.347"}`, id, id)
		if err := sim.Put("Sag", []byte(row)); err != nil {
			log.Fatal(err)
		}
	}
	return sim
}
