package odata

import (
	"fmt"
	"strings"

	"odastream/schema"
)

// namespace is the namespace of the source's types.
const namespace = "FT.Domain.Models"

// association is what $metadata says of a link: the names are the source's own.
type association struct {
	name string
	from schema.Entity
	link schema.Link
}

// associationOf returns the association of a link. The source writes one underscore of a
// name twice.
func associationOf(e schema.Entity, l schema.Link) association {
	prefix := strings.ReplaceAll(namespace, ".", "_") + "_"
	name := strings.ReplaceAll(l.Name, "_", "__")
	return association{fmt.Sprintf("%s%s_%s_%s%s_%sPartner", prefix, e.Name, name, prefix, l.Entity, name), e, l}
}

// Metadata returns the document of $metadata, with the entities in the order of their
// names: EDMX, as the source writes it.
func (m *Model) Metadata() []byte {
	w := metadataWriter{entities: m.Entities()}
	w.line(0, `<?xml version="1.0" encoding="utf-8"?>`)
	w.line(0, `<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">`)
	w.line(1, `<edmx:DataServices m:DataServiceVersion="3.0" m:MaxDataServiceVersion="3.0" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">`)
	w.types()
	w.container()
	w.line(1, `</edmx:DataServices>`)
	w.line(0, `</edmx:Edmx>`)
	return []byte(w.String())
}

// metadataWriter writes $metadata.
type metadataWriter struct {
	strings.Builder
	entities []schema.Entity
}

func (m *metadataWriter) line(depth int, format string, args ...any) {
	m.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(m, format+"\n", args...)
}

// associations returns the associations of all entities.
func (m *metadataWriter) associations() (list []association) {
	for _, e := range m.entities {
		for _, l := range e.Links {
			list = append(list, associationOf(e, l))
		}
	}
	return list
}

func (m *metadataWriter) types() {
	m.line(2, `<Schema Namespace="%s" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">`, namespace)
	for _, e := range m.entities {
		m.entityType(e)
	}
	for _, a := range m.associations() {
		multiplicity := "0..1"
		if a.link.Many {
			multiplicity = "*"
		}
		m.line(3, `<Association Name="%s">`, a.name)
		m.line(4, `<End Type="%s.%s" Role="%s" Multiplicity="%s" />`, namespace, a.link.Entity, a.link.Name, multiplicity)
		m.line(4, `<End Type="%s.%s" Role="%sPartner" Multiplicity="0..1" />`, namespace, a.from.Name, a.link.Name)
		m.line(3, `</Association>`)
	}
	m.line(2, `</Schema>`)
}

func (m *metadataWriter) entityType(e schema.Entity) {
	m.line(3, `<EntityType Name="%s">`, e.Name)
	m.line(4, `<Key>`)
	m.line(5, `<PropertyRef Name="id" />`)
	m.line(4, `</Key>`)
	for _, f := range e.Fields {
		nullable := ` Nullable="false"`
		if f.Nullable {
			nullable = ""
		}
		m.line(4, `<Property Name="%s" Type="%s"%s />`, f.Name, f.Type, nullable)
	}
	for _, l := range e.Links {
		m.line(4, `<NavigationProperty Name="%s" Relationship="%s.%s" ToRole="%s" FromRole="%sPartner" />`,
			l.Name, namespace, associationOf(e, l).name, l.Name, l.Name)
	}
	m.line(3, `</EntityType>`)
}

// container names the entity sets, and of each association between which of them it is.
func (m *metadataWriter) container() {
	m.line(2, `<Schema Namespace="Default" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">`)
	m.line(3, `<EntityContainer Name="Container" m:IsDefaultEntityContainer="true">`)
	for _, e := range m.entities {
		m.line(4, `<EntitySet Name="%s" EntityType="%s.%s" />`, e.Name, namespace, e.Name)
	}
	for _, a := range m.associations() {
		m.line(4, `<AssociationSet Name="%sSet" Association="%s.%s">`, a.name, namespace, a.name)
		m.line(5, `<End Role="%sPartner" EntitySet="%s" />`, a.link.Name, a.from.Name)
		m.line(5, `<End Role="%s" EntitySet="%s" />`, a.link.Name, a.link.Entity)
		m.line(4, `</AssociationSet>`)
	}
	m.line(3, `</EntityContainer>`)
	m.line(2, `</Schema>`)
}
