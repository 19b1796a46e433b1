package main

import (
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// origin is what the programs were built from, by their build information.
type origin struct {
	main    debug.Module
	goVer   string // "go1.26.8"
	vcs     map[string]string
	modules []debug.Module // linked into any of the programs, sorted by path
}

// originOf reads the programs' build information, as go version -m does.
func originOf(programs []string) (origin, error) {
	if len(programs) == 0 {
		return origin{}, fmt.Errorf("no programs in cmd")
	}
	o := origin{vcs: map[string]string{}}
	linked := map[string]debug.Module{}
	for _, path := range programs {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return origin{}, fmt.Errorf("read build information: %w", err)
		}
		o.main, o.goVer = info.Main, info.GoVersion
		for _, s := range info.Settings {
			o.vcs[s.Key] = s.Value
		}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			linked[m.Path] = *m
		}
	}
	for _, m := range linked {
		o.modules = append(o.modules, m)
	}
	slices.SortFunc(o.modules, func(a, b debug.Module) int { return strings.Compare(a.Path, b.Path) })
	return o, nil
}

// name returns the last element of the module's path.
func (o origin) name() string { return o.main.Path[strings.LastIndex(o.main.Path, "/")+1:] }

// version returns the tag of the commit, or Go's pseudo-version if it has none; "devel"
// for a tree that is not a clone.
func (o origin) version() string {
	if v := o.main.Version; v != "" && v != "(devel)" {
		return v
	}
	return "devel"
}

// time returns the commit's time; for a tree that is not a clone, the earliest time that
// a zip archive can hold.
func (o origin) time() time.Time {
	if at, err := time.Parse(time.RFC3339, o.vcs["vcs.time"]); err == nil {
		return at.UTC()
	}
	return time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)
}
