package schema

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckNumbers(t *testing.T) {
	t.Parallel()
	many := func(text string, n int) string { return `{"id":1,"v":[` + strings.Repeat(text+",", n) + `0]}` }
	for claim, tt := range map[string]struct {
		row     string
		refused bool
	}{
		"none":                         {`{"id":1}`, false},
		"a double's largest":           {`{"v":1.7976931348623157e308,"w":-4.9E-324}`, false},
		"Postgres' largest":            {`{"v":1e131071}`, false},
		"one too many of these":        {many("1e131071", 9), true},
		"with a sign":                  {many("-1.5E+131071", 9), true},
		"small ones":                   {many("1e-16383", 100), true},
		"a zero":                       {many("0e131071", 9), true},
		"zeros before the power":       {many("1e00000000131071", 9), true},
		"a power beyond every integer": {`{"v":1e` + strings.Repeat("9", 50) + `}`, true},
		"thousands of doubles":         {many("1e308", 4000), true},
		"in the row of a row":          {`{"a":{"b":` + many("1e131071", 9) + `}}`, true},
		"texts":                        {many(`"1e131071"`, 100), false},
		"names":                        {`{` + strings.Repeat(`"1e131071":0,`, 100) + `"id":1}`, false},
		"long numbers without a power": {many(strings.Repeat("9", 1000), 2000), false},
	} {
		if err := CheckNumbers([]byte(tt.row)); (err != nil) != tt.refused {
			t.Errorf("%s: CheckNumbers = %v, want refused %v", claim, err, tt.refused)
		}
	}
}

func TestParseChangeRefusesNumbersOfAGigabyte(t *testing.T) {
	t.Parallel()
	c := sampleChange([]byte(`{"id":1,"v":[` + strings.Repeat("1e131071,", 12_000) + `0]}`))
	_, err := ParseChange(c.AppendJSON(nil))
	if bad, ok := errors.AsType[*ParseError](err); !ok || bad.Class != ClassSchema {
		t.Errorf("ParseChange = %v, want class %s", err, ClassSchema)
	}
}
