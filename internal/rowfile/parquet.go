package rowfile

import (
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"odastream/schema"
)

// OtherMembers is the column of a Parquet file, the last one, with what its columns cannot
// hold of a row, as a JSON object: members that the source has not described, and values
// that do not fit the type of their column, which has null there. It is null if there are
// none.
const OtherMembers = "other_members"

// The keys of a Parquet file's metadata.
const (
	EntityKey = "odastream.entity" // whose rows the file holds
	StampsKey = "odastream.stamps" // what its timestamps are
)

// stamps is the value of StampsKey.
const stamps = "Danish wall clock (Europe/Copenhagen) without a zone, as the source writes them"

// A row group ends at whichever limit is reached first. The writer holds one in memory.
const (
	groupRows  = 100_000
	groupBytes = 8 << 20 // of rows as JSON
)

// group is a parquet.Group whose columns keep their order; its own is by name.
type group struct {
	parquet.Group
	names []string
}

// Fields returns the columns.
func (g group) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	fields := make([]parquet.Field, len(g.names))
	for i, name := range g.names {
		fields[i] = byName[name]
	}
	return fields
}

// columnar writes Parquet.
type columnar struct {
	w      *parquet.GenericWriter[any]
	rows   *reader
	fields map[string]int // the column of a field
	fit    []fit          // by column
	row    parquet.Row
	bytes  int // of the row group
}

// fit returns a member's value as one of a column; ok is false if it does not fit.
type fit func(jsontext.Value) (v parquet.Value, ok bool)

func newParquet(entity schema.Entity, w io.Writer) *columnar {
	c := &columnar{rows: newReader(), fields: map[string]int{}}
	columns := group{Group: parquet.Group{}}
	add := func(name string, node parquet.Node) {
		columns.Group[name] = parquet.Optional(node)
		columns.names = append(columns.names, name)
	}
	for i, f := range entity.Fields {
		node, fit := columnOf(f.Type)
		add(f.Name, node)
		c.fields[f.Name], c.fit = i, append(c.fit, fit)
	}
	add(OtherMembers, parquet.JSON())
	c.row = make(parquet.Row, len(columns.names))
	c.w = parquet.NewGenericWriter[any](w, parquet.NewSchema(entity.Suffix, columns),
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), parquet.MaxRowsPerRowGroup(groupRows),
		parquet.KeyValueMetadata(EntityKey, entity.Name), parquet.KeyValueMetadata(StampsKey, stamps))
	return c
}

// columnOf returns the column of an Edm type. Those that the source has never used are
// texts.
func columnOf(edm string) (parquet.Node, fit) {
	switch edm {
	case "Edm.Int16":
		return parquet.Int(16), func(v jsontext.Value) (parquet.Value, bool) { return integer(v, 16) }
	case "Edm.Int32":
		return parquet.Int(32), func(v jsontext.Value) (parquet.Value, bool) { return integer(v, 32) }
	case "Edm.Int64":
		return parquet.Int(64), long
	case "Edm.Boolean":
		return parquet.Leaf(parquet.BooleanType), boolean
	case "Edm.DateTime":
		return parquet.TimestampAdjusted(parquet.Microsecond, false), timestamp
	}
	return parquet.String(), words
}

func integer(v jsontext.Value, bits int) (parquet.Value, bool) {
	n, err := strconv.ParseInt(string(v), 10, bits)
	return parquet.Int32Value(int32(n)), err == nil //nolint:gosec // bits are 32 at most
}

func long(v jsontext.Value) (parquet.Value, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return parquet.Int64Value(n), err == nil
}

func boolean(v jsontext.Value) (parquet.Value, bool) {
	kind := v.Kind()
	return parquet.BooleanValue(kind == 't'), kind == 't' || kind == 'f'
}

func words(v jsontext.Value) (parquet.Value, bool) {
	if v.Kind() != '"' {
		return parquet.Value{}, false
	}
	s, err := text(v)
	return parquet.ByteArrayValue(s), err == nil
}

// stampForm is the source's form of a stamp; decimals may follow.
const stampForm = "2006-01-02T15:04:05"

// timestamp takes a stamp only if it can be written as it was from the microseconds.
func timestamp(v jsontext.Value) (parquet.Value, bool) {
	s, err := text(v)
	if err != nil {
		return parquet.Value{}, false
	}
	t, err := time.Parse(stampForm, string(s))
	ok := err == nil && t.Nanosecond()%int(time.Microsecond) == 0 && len(s) >= len(stampForm) && s[len(stampForm)-3] == ':'
	return parquet.Int64Value(t.UnixMicro()), ok
}

func (c *columnar) Write(row []byte) error {
	members, err := c.rows.read(row)
	if err != nil {
		return err
	}
	for i := range c.row {
		c.row[i] = parquet.Value{}.Level(0, 0, i)
	}
	var others []byte
	for _, m := range members {
		column, known := c.fields[m.name]
		if known && m.value.Kind() == 'n' {
			continue
		}
		if known {
			if v, ok := c.fit[column](m.value); ok {
				c.row[column] = v.Level(0, 1, column)
				continue
			}
		}
		if others, err = appendMember(others, m); err != nil {
			return err
		}
	}
	if last := len(c.row) - 1; others != nil {
		c.row[last] = parquet.ByteArrayValue(append(others, '}')).Level(0, 1, last)
	}
	if _, err := c.w.WriteRows([]parquet.Row{c.row}); err != nil {
		return err
	}
	return c.grow(len(row))
}

// grow ends the row group if it has enough bytes.
func (c *columnar) grow(n int) error {
	if c.bytes += n; c.bytes < groupBytes {
		return nil
	}
	c.bytes = 0
	return c.w.Flush()
}

// appendMember adds a member to an object that is still open.
func appendMember(object []byte, m member) ([]byte, error) {
	name, err := json.Marshal(m.name)
	if err != nil {
		return nil, err
	}
	if object == nil {
		object = append(object, '{')
	} else {
		object = append(object, ',')
	}
	return append(append(append(object, name...), ':'), m.value...), nil
}

func (c *columnar) Close() error { return c.w.Close() }
