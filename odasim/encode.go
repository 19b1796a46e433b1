package odasim

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// encode makes a row ready to be sent. It checks and compacts it, keeps the order of its
// members, and reads its id and its stamp.
func (o *Options) encode(data []byte) (row, error) {
	v := jsontext.Value(data).Clone()
	if err := v.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return row{}, fmt.Errorf("encode row: %w", err)
	}
	r := row{data: v}
	if err := o.read(&r); err != nil {
		return row{}, err
	}
	if o.EscapeUnicode {
		r.data = escape(v)
	}
	return r, nil
}

// read sets id and stamp from the row's data.
func (o *Options) read(r *row) error {
	identified := false
	r.stamp = noMoment
	for name, value := range members(r.data) {
		var err error
		switch name {
		case "id":
			r.id, err = strconv.ParseInt(string(value), 10, 64)
			identified = true
		case stampField:
			r.stamp, err = o.stamp(value)
		}
		if err != nil {
			return fmt.Errorf("encode row: %s: %w", name, err)
		}
	}
	if !identified {
		return errors.New("encode row: not an object with an id")
	}
	return nil
}

// stamp reads a row's opdateringsdato.
func (o *Options) stamp(value jsontext.Value) (moment, error) {
	if value.Kind() == 'n' {
		return noMoment, nil
	}
	text, err := unquote(value)
	if err != nil {
		return 0, err
	}
	return o.Compare.moment(text)
}

// escape writes each character above ASCII as \uXXXX, as .NET's older writers do. JSON
// has such characters only in strings, so the whole text can be treated alike.
func escape(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(data)/8)
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r < utf8.RuneSelf:
			out = append(out, data[0])
		case r > 0xFFFF:
			r -= 0x10000
			out = appendUnit(appendUnit(out, 0xD800+r>>10), 0xDC00+r&0x3FF)
		default:
			out = appendUnit(out, r)
		}
		data = data[n:]
	}
	return out
}

// appendUnit writes one UTF-16 unit as \uXXXX.
func appendUnit(dst []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}
