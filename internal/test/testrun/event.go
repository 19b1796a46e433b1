package main

import (
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json (go doc cmd/test2json, go help buildjson).
type event struct {
	Action     string
	Package    string
	ImportPath string // of a package that is compiled
	Test       string // "" for what concerns the whole package
	Output     string
	Elapsed    float64 // seconds
}

// took returns the duration of the test or package that ended.
func (e event) took() time.Duration { return time.Duration(e.Elapsed * float64(time.Second)) }

// ends reports whether e is the end of a test or a package.
func (e event) ends() bool { return slices.Contains([]string{"pass", "fail", "skip"}, e.Action) }

// root returns the top-level test that t is a subtest of, or t.
func root(t string) string {
	name, _, _ := strings.Cut(t, "/")
	return name
}

// parent returns the test that t is a subtest of, "" if there is none.
func parent(t string) string {
	if n := strings.LastIndexByte(t, '/'); n >= 0 {
		return t[:n]
	}
	return ""
}
