package odata_test

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"odastream/internal/test/conditions"
	"odastream/odata"
)

// leaves are expressions without parts.
func leaves() conditions.Leaves {
	return conditions.Leaves{
		odata.Bool:   {"true", "false", "null", "statsbudgetsag", "Sagstrin/any()"},
		odata.Int:    {"0", "1", "-1", "9223372036854775807", "id", "statusid", "null"},
		odata.Number: {"0.5", "-2.5", "1e308", "3.0d", "null"},
		odata.Text:   {"''", "'Ø'", "'a''b'", "titel", "Periode/kode", "lovnummer", "null"},
		odata.Time:   {"datetime'2026-01-31'", "datetime'0001-01-01T00:00:00.0000001'", "opdateringsdato", "null"},
	}
}

// fits reports whether a value is of the Go type that its type names.
func fits(v any, typ odata.Type) bool {
	switch v.(type) {
	case nil:
		return true
	case bool:
		return typ == odata.Bool
	case int64:
		return typ == odata.Int
	case float64:
		return typ == odata.Number
	case string:
		return typ == odata.Text
	case time.Time:
		return typ == odata.Time
	}
	return false
}

// Whatever is composed of operands that fit is read; written and read again it is the
// same; and its value has its type.
func TestAnyConditionIsReadWrittenAndEvaluated(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		typ := rapid.SampledFrom([]odata.Type{odata.Bool, odata.Int, odata.Number, odata.Text, odata.Time}).Draw(rt, "type")
		text := leaves().Draw(rt, typ, rapid.IntRange(0, 4).Draw(rt, "depth"))
		r, err := model.Parse("Sag", "$orderby="+url.QueryEscape(text))
		if err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		e := r.OrderBy[0].Expr
		again, err := model.Parse("Sag", "$orderby="+url.QueryEscape(e.String()))
		if err != nil || again.OrderBy[0].Expr.String() != e.String() {
			rt.Fatalf("%s is written %s, which is read as %v, %v", text, e, again, err)
		}
		value := odata.Eval(e, aCase())
		if !fits(value, e.Type()) && e.Type() != odata.Null {
			rt.Fatalf("%s is %v (%T), want %s", text, value, value, e.Type())
		}
		if other := odata.Eval(again.OrderBy[0].Expr, aCase()); fmt.Sprint(other) != fmt.Sprint(value) {
			rt.Fatalf("%s is %v, and %v when written and read again", text, value, other)
		}
	})
}

// Whatever a client sends, it is read or refused with an *Error, and a condition is
// written as it was read.
func FuzzParse(f *testing.F) {
	for _, filters := range meanings() {
		for _, filter := range filters {
			f.Add("Sag", "$filter="+url.QueryEscape(filter))
		}
	}
	f.Add("Sag(1)/Sagstrin", "$expand=Sag/Periode,Afstemning&$select=id,Sag/titel&$top=1&$skip=2&$orderby=id%20desc")
	f.Add("Akt%F8r/$count", "?&%24filter=navn+eq+'%F8'&asof=2026-11-01T12:00:00Z&$format=json;x&$inlinecount=allpages&$skiptoken=x")
	f.Fuzz(func(t *testing.T, path, query string) {
		r, err := model.Parse(path, query)
		if err != nil {
			var e *odata.Error
			if !errors.As(err, &e) || !utf8.ValidString(err.Error()) {
				t.Fatalf("Parse gives %#v, want an *Error in UTF-8", err)
			}
			return
		}
		if r.Filter == nil {
			return
		}
		again, err := model.Parse(r.Entity.Name, "$filter="+url.QueryEscape(r.Filter.String()))
		if err != nil || again.Filter.String() != r.Filter.String() {
			t.Fatalf("%s is read again as %v, %v", r.Filter, again, err)
		}
	})
}
