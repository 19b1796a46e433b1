package odata

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"odastream/schema"
)

// Model is the entities that a service has. A link to an entity that is not among them
// does not exist there.
type Model struct{ entities map[string]schema.Entity }

// NewModel returns the model of a service that has these entities, by their own names.
func NewModel(entities []schema.Entity) *Model {
	m := &Model{map[string]schema.Entity{}}
	for _, e := range entities {
		m.entities[e.Name] = e
	}
	for name, e := range m.entities {
		e.Links = slices.DeleteFunc(slices.Clone(e.Links), func(l schema.Link) bool {
			_, known := m.entities[l.Entity]
			return !known
		})
		m.entities[name] = e
	}
	return m
}

// Entities returns the entities in the order of their names.
func (m *Model) Entities() []schema.Entity {
	return slices.SortedFunc(maps.Values(m.entities), func(a, b schema.Entity) int { return strings.Compare(a.Name, b.Name) })
}

// linked returns the entity that a link of the model leads to.
func (m *Model) linked(l schema.Link) schema.Entity { return m.entities[l.Entity] }

// nearest returns the entities that an unknown name may stand for.
func (m *Model) nearest(name string) (names []string) {
	e, err := schema.Lookup(name)
	names = []string{e.Name}
	if unknown := (*schema.UnknownEntityError)(nil); errors.As(err, &unknown) {
		names = slices.Clone(unknown.Nearest)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		_, known := m.entities[name]
		return !known
	})
}
