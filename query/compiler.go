package query

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"odastream/odata"
	"odastream/schema"
)

// compiler writes expressions as SQL. Texts compare in lower case and in Danish order.
type compiler struct {
	args    []any
	sources []*source // by the number of the variable
	aliases int
	then    string // the parameter of the seq up to which rows are read; "": as they are
}

// source is the rows of a variable: a table, joined with the rows that paths lead to.
type source struct {
	alias string
	joins string
	byKey map[string]string // alias, by the path of links that it stands for
}

// danish orders texts. Postgres has it wherever it is built with ICU.
const danish = `COLLATE "da-x-icu"`

// newCompiler returns a compiler of expressions about rows of the table t0, as they were
// at an instant unless it is nil.
func newCompiler(at *time.Time) *compiler {
	c := &compiler{}
	if at != nil {
		c.then = c.arg(at.UnixMicro(), "bigint")
	}
	c.enter()
	return c
}

// copy returns a compiler that goes on from here, and leaves this one as it is.
func (c *compiler) copy() *compiler {
	other := &compiler{args: slices.Clone(c.args), aliases: c.aliases, then: c.then}
	for _, s := range c.sources {
		other.sources = append(other.sources, &source{alias: s.alias, joins: s.joins, byKey: maps.Clone(s.byKey)})
	}
	return other
}

// enter begins the scope of another variable.
func (c *compiler) enter() *source {
	s := &source{alias: c.alias(), byKey: map[string]string{}}
	c.sources = append(c.sources, s)
	return s
}

// leave ends the innermost scope.
func (c *compiler) leave() { c.sources = c.sources[:len(c.sources)-1] }

func (c *compiler) alias() string {
	c.aliases++
	return "t" + strconv.Itoa(c.aliases-1)
}

// arg returns the parameter that holds a value, of a Postgres type.
func (c *compiler) arg(value any, typ string) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args)) + "::" + typ
}

// literal returns a name of the schema as a text of SQL.
func literal(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }

// isOf returns the condition that rows are of an entity.
func isOf(alias, entity string) string { return alias + ".entity_type = " + literal(entity) }

// field returns the value of a field of a row; null where it does not fit its type.
func field(alias string, f schema.Field) string {
	asJSON, asText := alias+".data -> "+literal(f.Name), alias+".data ->> "+literal(f.Name)
	switch f.Name {
	case "id":
		return alias + ".entity_id"
	case "opdateringsdato":
		return alias + ".opdateringsdato"
	}
	switch f.Type {
	case "Edm.Int16", "Edm.Int32", "Edm.Byte":
		return "parliament.as_integer(" + asJSON + ")"
	case "Edm.Int64":
		return "parliament.as_bigint(" + asText + ")"
	case "Edm.Decimal", "Edm.Double", "Edm.Single":
		return "parliament.as_numeric(" + asText + ")"
	case "Edm.Boolean":
		return "parliament.as_boolean(" + asJSON + ")"
	case "Edm.DateTime":
		return "parliament.as_timestamp(" + asText + ")"
	}
	return "(" + asText + ")"
}

// joined returns the field that a link compares, of the row that it starts from or of
// those that it leads to.
func joined(alias, name string) string {
	return field(alias, schema.Field{Name: name, Type: "Edm.Int32"})
}

// follow returns the alias of the row at the end of links to one row each.
func (c *compiler) follow(variable int, links []schema.Link) string {
	s := c.sources[variable]
	at, key := s.alias, ""
	for _, l := range links {
		key += "/" + l.Name
		next, known := s.byKey[key]
		if !known {
			next = c.alias()
			s.byKey[key] = next
			s.joins += fmt.Sprintf(" LEFT JOIN %s AS %s ON %s AND %s = %s",
				c.table(l.Entity), next, isOf(next, l.Entity), joined(next, l.Theirs), joined(at, l.Own))
		}
		at = next
	}
	return at
}

// ofEachRow returns a condition that is true for each row of the innermost scope. A
// subquery that has it is evaluated for each row. Without it Postgres 15 may evaluate one
// that refers to rows of outer scopes alone once for all of them, where two such subqueries
// are nested (TestNestedConditionsOfOuterRows).
func (c *compiler) ofEachRow() string {
	return c.sources[len(c.sources)-1].alias + ".entity_id <= 9223372036854775807"
}

// lambda returns the condition that any or all of the rows of a link fulfil another one.
func (c *compiler) lambda(e *odata.Lambda) string {
	own := joined(c.follow(e.Var, e.Links), e.Many.Own)
	each := c.ofEachRow()
	s := c.enter()
	defer c.leave()
	where := each + " AND " + isOf(s.alias, e.Many.Entity) + " AND " + joined(s.alias, e.Many.Theirs) + " = " + own
	not := ""
	switch {
	case e.All:
		not = "NOT "
		where += " AND " + c.condition(e.Body, exact) + " IS NOT TRUE"
	case e.Body != nil:
		where += " AND " + c.condition(e.Body, loose)
	}
	return fmt.Sprintf("(%sEXISTS (SELECT FROM %s AS %s%s WHERE %s))", not, c.table(e.Many.Entity), s.alias, s.joins, where)
}
