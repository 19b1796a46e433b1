package schema

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// maxWritten limits what the powers of ten of a row's numbers add when they are written
// out, in bytes. Postgres writes 1e131071 with 131,072 digits whenever it returns jsonb
// as text, so a row of a few kilobytes would take gigabytes. No number of the source has
// a power of ten.
const maxWritten = 1 << 20

// CheckNumbers returns an error if the numbers of a row are too long once they are
// written out. The row must be JSON.
func CheckNumbers(row []byte) error {
	if written(row) <= maxWritten { // as most rows: texts that look like numbers count too
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewReader(row), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	total := 0
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return nil //nolint:nilerr // its end, or a fault that others report
		}
		if token.Kind() != jsontext.KindNumber {
			continue
		}
		if total += written([]byte(token.String())); total > maxWritten {
			return fmt.Errorf("its numbers take more than %d bytes when they are written out", maxWritten)
		}
	}
}

// written returns what the powers of ten in text add when they are written out.
func written(text []byte) (n int) {
	for at, c := range text {
		if c|0x20 == 'e' && at > 0 && isDigit(text[at-1]) {
			n += exponent(text[at+1:])
		}
	}
	return n
}

// exponent returns the power of ten at the beginning of text, without its sign; 0 if
// there is none.
func exponent(text []byte) (n int) {
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	for _, c := range text {
		if !isDigit(c) {
			break
		}
		n = min(10*n+int(c-'0'), 2*maxWritten)
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
