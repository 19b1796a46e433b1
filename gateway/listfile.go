package gateway

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"reflect"
	"strings"

	"odastream/internal/rowfile"
	"odastream/query"
	"odastream/schema"
)

// filePage is how many items of a list are in memory while it is sent.
const filePage = 1000

// listFile is all items of a list, read page by page at one moment.
type listFile struct {
	list  route
	in    input
	copy  *query.Reader
	form  string
	links string // the public address that links begin with
}

// itemWriter writes the items of a list.
type itemWriter interface {
	Write(item any) error
	// Close writes what must follow the last item.
	Close() error
}

func (f listFile) setHeader(h http.Header) {
	name := strings.TrimPrefix(f.list.path, "/")
	if f.form == calendarForm {
		h.Set("Content-Type", calendarType)
		h.Set("Content-Disposition", `inline; filename="`+name+"."+calendarForm+`"`)
		return
	}
	setFileHeader(h, name, rowfile.Format(f.form))
}

// newWriter returns a writer of the list's items.
func (f listFile) newWriter(w io.Writer) (itemWriter, error) {
	if f.form == calendarForm {
		return newCalendar(w, f.links)
	}
	return newItemFile(rowfile.Format(f.form), strings.TrimPrefix(f.list.path, "/"), f.list.item, w)
}

func (f listFile) send(ctx context.Context, w io.Writer) error {
	return sendMoment(ctx, f.copy, w, func(m query.Moment, out io.Writer) error {
		items, err := f.newWriter(out)
		if err != nil {
			return err
		}
		if err := f.each(ctx, m.Reader(), items.Write); err != nil {
			return err
		}
		return items.Close()
	})
}

// each calls do with each item: of all pages, or as many items as are asked for.
func (f listFile) each(ctx context.Context, moment *query.Reader, do func(item any) error) error {
	left := math.MaxInt
	if f.in.get(paramLimit.name) != "" {
		left = f.in.limit
	}
	page := f.in
	page.values = maps.Clone(f.in.values)
	for {
		page.limit = min(filePage, left)
		result, next, err := f.list.page(ctx, moment, page)
		if err != nil {
			return err
		}
		for _, item := range result.(paged).all() {
			if err := do(item); err != nil {
				return err
			}
			left--
		}
		if next == "" || left == 0 {
			return nil
		}
		page.values[paramAfter.name] = next
	}
}

// itemFile writes items as rows, a column a member. What an item has of another is in
// columns of their own (case_number); a list within an item is a text of JSON.
type itemFile struct {
	rows    rowfile.Writer
	columns []column
	nested  bool // as JSON has it: each item as it is
}

// column is a member of an item.
type column struct {
	schema.Field
	index []int // of the field, and of those in it
}

func newItemFile(format rowfile.Format, name string, item reflect.Type, w io.Writer) (*itemFile, error) {
	columns := columnsOf(item, "", nil)
	table := schema.Entity{Name: name, Suffix: name}
	for _, c := range columns {
		table.Fields = append(table.Fields, c.Field)
	}
	rows, err := rowfile.New(format, table, nil, w)
	return &itemFile{rows: rows, columns: columns, nested: format == rowfile.JSON}, err
}

// columnsOf returns the columns of a type of items, those of a struct in it among them.
func columnsOf(t reflect.Type, prefix string, within []int) (columns []column) {
	for f := range fieldsOf(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		index := append(append([]int{}, within...), f.Index...)
		of := f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct {
			columns = append(columns, columnsOf(of, prefix+name+"_", index)...)
			continue
		}
		edm := f.Tag.Get("edm")
		if edm == "" {
			edm = edmTypes[of.Kind()]
		}
		columns = append(columns, column{schema.Field{Name: prefix + name, Type: edm, Nullable: true}, index})
	}
	return columns
}

// edmTypes are the types of columns; all others are texts.
var edmTypes = map[reflect.Kind]string{reflect.Int64: "Edm.Int64", reflect.Bool: "Edm.Boolean"}

func (f *itemFile) Write(item any) error {
	if f.nested {
		row, err := json.Marshal(item)
		if err != nil {
			return err
		}
		return f.rows.Write(row)
	}
	flat := make(map[string]any, len(f.columns))
	for _, c := range f.columns {
		value, err := c.of(reflect.ValueOf(item))
		if err != nil {
			return err
		}
		flat[c.Name] = value
	}
	row, err := json.Marshal(flat)
	if err != nil {
		return err
	}
	return f.rows.Write(row)
}

func (f *itemFile) Close() error { return f.rows.Close() }

// of returns the value of the column in an item; nil if it has none.
func (c column) of(item reflect.Value) (any, error) {
	value, err := item.FieldByIndexErr(c.index)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // it is a member of what the item does not have
	}
	if value.Kind() == reflect.Slice {
		text, err := json.Marshal(value.Interface())
		return string(text), err
	}
	return value.Interface(), nil
}
