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

// took is how long what has ended took.
func (e event) took() time.Duration { return time.Duration(e.Elapsed * float64(time.Second)) }

// ends tells whether e says how a test or a package ended.
func (e event) ends() bool { return slices.Contains([]string{"pass", "fail", "skip"}, e.Action) }

// root is the test that t is a subtest of, or t.
func root(t string) string {
	name, _, _ := strings.Cut(t, "/")
	return name
}

// parent is the test that t is a subtest of, "" if of none.
func parent(t string) string {
	if n := strings.LastIndexByte(t, '/'); n >= 0 {
		return t[:n]
	}
	return ""
}
