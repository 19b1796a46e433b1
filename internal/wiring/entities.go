package wiring

import (
	"errors"
	"slices"
	"strings"

	"odastream/schema"
)

// Entities is a list of entity sets in load order. The zero value means all but the
// subsets of Sag.
type Entities []schema.Entity

// UnmarshalText implements encoding.TextUnmarshaler. It reads comma-separated names in
// any spelling. Its error names every unknown entity with the nearest known ones.
func (l *Entities) UnmarshalText(text []byte) error {
	var unknown []error
	for name := range strings.SplitSeq(string(text), ",") {
		if strings.TrimSpace(name) == "" {
			continue
		}
		e, err := schema.Lookup(name)
		if err != nil {
			unknown = append(unknown, err)
			continue
		}
		if !slices.ContainsFunc(*l, func(have schema.Entity) bool { return have.Name == e.Name }) {
			*l = append(*l, e)
		}
	}
	slices.SortFunc(*l, func(a, b schema.Entity) int { return a.Order - b.Order })
	return errors.Join(unknown...)
}

// OrDefault is the list, or without one all entities but the subsets of Sag.
func (l Entities) OrDefault() []schema.Entity {
	if len(l) > 0 {
		return l
	}
	return slices.DeleteFunc(schema.Entities(), func(e schema.Entity) bool { return e.Subset })
}
