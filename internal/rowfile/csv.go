package rowfile

import (
	"bytes"
	"io"
	"slices"

	"odastream/schema"
)

// table writes CSV as COPY of Postgres does: an empty field is null, "" is an empty text.
type table struct {
	w       io.Writer
	rows    *reader
	columns []string
	line    []byte
}

func newCSV(entity schema.Entity, others []string, w io.Writer) (*table, error) {
	t := &table{w: w, rows: newReader()}
	for _, f := range entity.Fields {
		t.columns = append(t.columns, f.Name)
	}
	t.columns = append(t.columns, others...)
	for i, name := range t.columns {
		t.separate(i)
		t.field([]byte(name))
	}
	return t, t.end()
}

func (t *table) Write(row []byte) error {
	members, err := t.rows.read(row)
	if err != nil {
		return err
	}
	for i, name := range t.columns {
		t.separate(i)
		at := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		if at < 0 || members[at].value.Kind() == 'n' {
			continue
		}
		value := []byte(members[at].value)
		if members[at].value.Kind() == '"' {
			if value, err = text(members[at].value); err != nil {
				return err
			}
		}
		t.field(value)
	}
	return t.end()
}

func (t *table) separate(column int) {
	if column > 0 {
		t.line = append(t.line, ',')
	}
}

// field adds a value, in quotes if it would be read as something else.
func (t *table) field(value []byte) {
	if len(value) > 0 && !bytes.ContainsAny(value, ",\"\r\n") {
		t.line = append(t.line, value...)
		return
	}
	t.line = append(t.line, '"')
	t.line = append(t.line, bytes.ReplaceAll(value, []byte{'"'}, []byte(`""`))...)
	t.line = append(t.line, '"')
}

// end writes the line.
func (t *table) end() error {
	_, err := t.w.Write(append(t.line, '\n'))
	t.line = t.line[:0]
	return err
}

func (*table) Close() error { return nil }
