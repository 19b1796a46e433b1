package main

import (
	"encoding/json"
	"io"
	"strings"
	"time"
)

// bom is a CycloneDX 1.5 document.
type bom struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// writeBOM writes the components of the programs: Go's standard library and every module
// that is linked into them, with its checksum from go.sum.
func writeBOM(w io.Writer, o origin) error {
	main := newComponent("application", o.main.Path, o.version(), "")
	main.Name = o.name()
	if revision := o.vcs["vcs.revision"]; revision != "" {
		main.Properties = append(main.Properties, property{Name: "vcs.revision", Value: revision})
	}
	components := []component{newComponent("library", "stdlib", strings.TrimPrefix(o.goVer, "go"), "")}
	for _, m := range o.modules {
		components = append(components, newComponent("library", m.Path, m.Version, m.Sum))
	}
	linked := dependency{Ref: main.Ref}
	for _, c := range components {
		linked.DependsOn = append(linked.DependsOn, c.Ref)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(bom{
		Format: "CycloneDX", SpecVersion: "1.5", Version: 1,
		Metadata:     metadata{Timestamp: o.time().Format(time.RFC3339), Component: main},
		Components:   components,
		Dependencies: []dependency{linked},
	})
}

func newComponent(kind, path, version, sum string) component {
	purl := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	c := component{Type: kind, Ref: purl, Name: path, Version: version, PURL: purl}
	if sum != "" {
		c.Properties = []property{{Name: "go.sum", Value: sum}}
	}
	return c
}
