package odasim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"odastream/schema"
)

// chronicle writes what happens in the parliament into its sets: all at once when a
// parliament is generated, one event after another when it is live.
type chronicle struct {
	sim      *Server
	random   *rand.Rand
	entities map[string]schema.Entity
	now      time.Time // of the event that is being written
	late     time.Duration
	persons  []int64          // the 179 who vote
	last     map[string]int64 // highest id given, by set; a late row has an id but is not in its set yet
}

// values are the fields of a row that are not null. The id and the stamp are added when
// the row is written, and a field that is missing here gets the zero of its type.
type values map[string]any

// newChronicle returns a chronicle whose random numbers come from the seed.
func newChronicle(s *Server, seed uint64) *chronicle {
	c := &chronicle{sim: s, random: rand.New(rand.NewPCG(seed, 179)), entities: map[string]schema.Entity{}, last: map[string]int64{}}
	for _, e := range s.options.Entities {
		c.entities[e.Name] = e
	}
	return c
}

// count returns the number of rows of a set.
func (c *chronicle) count(set string) int { return c.sim.Len(set) }

// any returns the id of some row of a set; 0 if it has none.
func (c *chronicle) any(set string) int64 {
	t, known := c.sim.sets[set]
	if !known || t.len() == 0 {
		return 0
	}
	return t.nth(c.random.IntN(t.len())).id
}

// recent returns the id of one of the newest rows of a set; 0 if it has none.
func (c *chronicle) recent(set string) int64 {
	t, known := c.sim.sets[set]
	if !known || t.len() == 0 {
		return 0
	}
	return t.nth(t.len() - 1 - c.random.IntN(min(50, t.len()))).id
}

// word returns one of words at random.
func (c *chronicle) word(words []string) string { return words[c.random.IntN(len(words))] }

// chance returns true with probability p.
func (c *chronicle) chance(p float64) bool { return c.random.Float64() < p }

// add writes a row with the stamp of at and returns its id. It ignores a set that the
// service does not have.
func (c *chronicle) add(set string, at time.Time, v values) int64 {
	e, known := c.entities[set]
	if !known {
		return 0
	}
	id := c.next(set)
	if set == "AktørAktør" {
		id += c.random.Int64N(700) // the source's ids there lie far apart
	}
	c.last[set] = id
	v["id"] = id
	c.write(e, at, v)
	return id
}

// next returns the lowest id that a new row of the set can have.
func (c *chronicle) next(set string) int64 {
	t, known := c.sim.sets[set]
	if !known {
		return 1
	}
	return max(t.maxID(), c.last[set]) + 1
}

// write puts a whole row, and its copy into the subset of Sag that it belongs to.
func (c *chronicle) write(e schema.Entity, at time.Time, v values) {
	v[stampField] = Stamp(at)
	r, err := c.sim.options.encode(rowJSON(e, at, v))
	if err != nil {
		panic("odasim: write generated row: " + err.Error()) // the row is the program's own
	}
	kind, _ := v["typeid"].(int)
	late := c.late > 0 && c.chance(0.05)
	for _, name := range shownIn(e.Name, kind) {
		t, known := c.sim.sets[name]
		switch {
		case !known:
		case late:
			c.sim.putLate(t, r, c.sim.Now().Add(c.late))
		default:
			t.put(r)
		}
	}
}

// shownIn returns the sets that a row is in: its own and, for a case, the subset of its
// type.
func shownIn(set string, caseType int) []string {
	if set != "Sag" {
		return []string{set}
	}
	return []string{set, subset(caseType)}
}

// subset returns the set besides Sag that shows cases of this type; "" for none. EUsag is
// empty at the source, so it is empty here.
func subset(caseType int) string {
	switch caseType {
	case 1:
		return "Almdel"
	case 3, 5:
		return "Forslag"
	case 4:
		return "Aktstykke"
	case 6, 8, 11:
		return "Debat"
	default:
		return ""
	}
}

// edit changes members of a row. The row gets the stamp of at, or keeps its old one if at
// is zero.
func (c *chronicle) edit(set string, id int64, at time.Time, v values) {
	data := c.sim.Row(set, id)
	if data == nil {
		return
	}
	if !at.IsZero() {
		v[stampField] = Stamp(at)
	}
	raw, _ := member(data, "typeid")
	kind, _ := valueOf(raw, "Edm.Int64").(int64)
	changed := map[string]json.RawMessage{}
	for name, value := range v {
		changed[name] = appendValue(nil, value)
	}
	data, err := withMembers(data, changed)
	if err != nil {
		panic("odasim: edit generated row: " + err.Error()) // the values are the program's own
	}
	for _, name := range shownIn(set, int(kind)) {
		if _, known := c.sim.sets[name]; known {
			_ = c.sim.Put(name, data) // the row was valid before
		}
	}
}

// rowJSON returns a row with all fields of its set, in the order of $metadata.
func rowJSON(e schema.Entity, at time.Time, v values) []byte {
	b := []byte{'{'}
	for i, f := range e.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, f.Name) // names and texts are the program's own
		b = append(b, ':')
		value, given := v[f.Name]
		if !given {
			value = zeroOf(f, at)
		}
		b = appendValue(b, value)
	}
	return append(b, '}')
}

// zeroOf returns the value of a field that was not set.
func zeroOf(f schema.Field, at time.Time) any {
	if f.Nullable {
		return nil
	}
	switch f.Type {
	case "Edm.DateTime":
		return day(at)
	case "Edm.Boolean":
		return false
	case "Edm.String":
		return ""
	default:
		return 0
	}
}

// appendValue writes a value as JSON.
func appendValue(b []byte, value any) []byte {
	switch value := value.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		b, _ = jsontext.AppendQuote(b, value)
		return b
	default:
		return fmt.Append(b, value)
	}
}

// day returns a date as the source writes it.
func day(t time.Time) string { return t.Format("2006-01-02") + "T00:00:00" }
