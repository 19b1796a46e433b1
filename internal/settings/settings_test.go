package settings

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// size has an UnmarshalText, like a package's own type.
type size int64

func (s *size) UnmarshalText(text []byte) error {
	var n int64
	if _, err := fmt.Sscanf(string(text), "%dMiB", &n); err != nil {
		return fmt.Errorf("want a size such as 16MiB")
	}
	*s = size(n << 20)
	return nil
}

type poll struct {
	Interval time.Duration `env:"INTERVAL" envDefault:"5s" above:"0s" help:"pause between polls"`
	Max      time.Duration `env:"INTERVAL_MAX" envDefault:"5m" min:"1s" help:"longest pause"`
	Rows     int           `env:"BATCH_ROWS" envDefault:"1000" min:"1" max:"100000" help:"rows of a batch"`
	Bytes    size          `env:"BYTES" envDefault:"16MiB" min:"1MiB" max:"64MiB" help:"bytes of a batch"`
}

// Faults checks two fields against each other.
func (p poll) Faults() []string {
	if p.Max < p.Interval {
		return []string{fmt.Sprintf("{INTERVAL_MAX} is %s, want {INTERVAL} (%s) or more", p.Max, p.Interval)}
	}
	return nil
}

type program struct {
	DatabaseURL string   `env:"DATABASE_URL,required" secret:"true" help:"Postgres URL or DSN"`
	HTTPAddr    string   `env:"HTTP_ADDR" envDefault:":8080" emptyOK:"true" help:"address to serve; empty: none"`
	Brokers     []string `env:"BROKERS" envDefault:"localhost:9092" help:"addresses"`
	Gin         string   `env:"GIN" envDefault:"on" oneof:"on,off" help:"index"`
	TLS         bool     `env:"TLS" help:"speak TLS"`
	Rate        float64  `env:"RATE" envDefault:"5" min:"0" help:"requests a second"`
	Poll        poll     `envPrefix:"POLL_"`
	Skipped     string   `env:"-"`
	Token       string   `env:"TOKEN" secret:"true" oneof:"aaaa,bbbb" help:"a token"`
}

const databaseURL = "DATABASE_URL=postgres://u:hunter22@db/x"

func defaults() program {
	return program{
		DatabaseURL: "postgres://u:hunter22@db/x", HTTPAddr: ":8080", Brokers: []string{"localhost:9092"}, Gin: "on", Rate: 5,
		Poll: poll{Interval: 5 * time.Second, Max: 5 * time.Minute, Rows: 1000, Bytes: 16 << 20},
	}
}

func TestParseFillsTheStruct(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		environ []string
		want    func(*program)
	}{
		"defaults hold where nothing is set":               {nil, func(*program) {}},
		"a value is read":                                  {[]string{"POLL_INTERVAL=250ms"}, func(p *program) { p.Poll.Interval = 250 * time.Millisecond }},
		"bounds are inclusive":                             {[]string{"POLL_BATCH_ROWS=100000"}, func(p *program) { p.Poll.Rows = 100000 }},
		"set but empty means the default":                  {[]string{"POLL_BATCH_ROWS="}, func(*program) {}},
		"set but empty means empty where that is a value":  {[]string{"HTTP_ADDR="}, func(p *program) { p.HTTPAddr = "" }},
		"white space around a number is no fault":          {[]string{"POLL_BATCH_ROWS= 7 "}, func(p *program) { p.Poll.Rows = 7 }},
		"white space in a list is no fault":                {[]string{"BROKERS=a:1, b:2"}, func(p *program) { p.Brokers = []string{"a:1", "b:2"} }},
		"a choice is taken in any case":                    {[]string{"GIN=OFF"}, func(p *program) { p.Gin = "off" }},
		"a type that reads itself has bounds":              {[]string{"POLL_BYTES=64MiB"}, func(p *program) { p.Poll.Bytes = 64 << 20 }},
		"the last of two settings of a variable counts":    {[]string{"RATE=1", "RATE=2"}, func(p *program) { p.Rate = 2 }},
		"a value with an equals sign is kept":              {[]string{"HTTP_ADDR=a=b"}, func(p *program) { p.HTTPAddr = "a=b" }},
		"a dollar sign is not expanded":                    {[]string{"HTTP_ADDR=$HOME"}, func(p *program) { p.HTTPAddr = "$HOME" }},
		"a field without a variable is left alone":         {[]string{"-=x", "SKIPPED=x"}, func(*program) {}},
		"a boolean is read":                                {[]string{"TLS=true"}, func(p *program) { p.TLS = true }},
		"zero is a value within bounds that begin with it": {[]string{"RATE=0"}, func(p *program) { p.Rate = 0 }},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var got program
			if err := Parse(append([]string{databaseURL}, tc.environ...), &got); err != nil {
				t.Fatalf("Parse(%v) = %v", tc.environ, err)
			}
			want := defaults()
			tc.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse(%v) (-want +got):\n%s", tc.environ, diff)
			}
		})
	}
}

func TestParseNamesTheFault(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct{ environ, want string }{
		"below an exclusive bound":        {"POLL_INTERVAL=-1s", "POLL_INTERVAL is -1s, want above 0s"},
		"on an exclusive bound":           {"POLL_INTERVAL=0s", "POLL_INTERVAL is 0s, want above 0s"},
		"below a range":                   {"POLL_BATCH_ROWS=0", "POLL_BATCH_ROWS is 0, want 1 to 100000"},
		"above a range":                   {"POLL_BATCH_ROWS=100001", "POLL_BATCH_ROWS is 100001, want 1 to 100000"},
		"no number":                       {"POLL_BATCH_ROWS=many", "POLL_BATCH_ROWS is many, want 1 to 100000"},
		"a number that overflows":         {"POLL_BATCH_ROWS=99999999999999999999", "POLL_BATCH_ROWS is 99999999999999999999, want 1 to 100000"},
		"no duration":                     {"POLL_INTERVAL_MAX=5", "POLL_INTERVAL_MAX is 5, want 1s or more"},
		"no boolean":                      {"TLS=maybe", "TLS is maybe, want true or false"},
		"not a number at all":             {"RATE=NaN", "RATE is NaN, want 0 or more"},
		"infinite":                        {"RATE=+Inf", "RATE is +Inf, want 0 or more"},
		"none of the choices":             {"GIN=perhaps", `GIN is "perhaps", want one of on, off`},
		"a type that says itself":         {"POLL_BYTES=12", "POLL_BYTES is 12, want a size such as 16MiB"},
		"a type that reads itself, range": {"POLL_BYTES=65MiB", "POLL_BYTES is 65MiB, want 1MiB to 64MiB"},
		"required":                        {"DATABASE_URL=", "DATABASE_URL is not set, want Postgres URL or DSN"},
		"between two fields, in full":     {"POLL_INTERVAL=6m", "POLL_INTERVAL_MAX is 5m0s, want POLL_INTERVAL (6m0s) or more"},
		"a secret is not shown":           {"TOKEN=verysecret", "TOKEN is set, but not right, want one of aaaa, bbbb"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			err := Parse([]string{databaseURL, tc.environ}, new(program))
			var bad *Error
			if !errors.As(err, &bad) {
				t.Fatalf("Parse(%s) = %v, want an *Error", tc.environ, err)
			}
			if diff := cmp.Diff([]string{tc.want}, bad.Faults); diff != "" {
				t.Errorf("Parse(%s) (-want +got):\n%s", tc.environ, diff)
			}
		})
	}
}

// part is embedded and not exported.
type part struct {
	Rows int `env:"ROWS" envDefault:"5" help:"rows"`
}

func TestParseFillsAnEmbeddedPartOfAnUnexportedType(t *testing.T) {
	t.Parallel()
	var into struct{ part }
	if err := Parse([]string{"ROWS=7"}, &into); err != nil || into.Rows != 7 {
		t.Errorf("Parse = %v, ROWS is %d, want 7", err, into.Rows)
	}
	if rows := Rows(&into); len(rows) != 1 || rows[0].Name != "ROWS" {
		t.Errorf("Rows = %v, want ROWS", rows)
	}
}

func TestParseChecksAnEmbeddedPartOfAnUnexportedType(t *testing.T) {
	t.Parallel()
	type checked struct {
		Poll poll `envPrefix:"POLL_"`
	}
	var whole struct{ checked }
	err := Parse([]string{"POLL_INTERVAL=10m"}, &whole)
	if want := "POLL_INTERVAL_MAX is 5m0s, want POLL_INTERVAL (10m0s) or more"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Parse = %v, want %s", err, want)
	}
}

func TestParsePanicsAtAFieldThatNobodyCanFill(t *testing.T) {
	t.Parallel()
	defer func() {
		if why := recover(); why == nil || !strings.Contains(fmt.Sprint(why), "ROWS") {
			t.Errorf("Parse panicked with %v, want a word about ROWS", why)
		}
	}()
	var into struct {
		rows int `env:"ROWS"` //nolint:unused // filled by nobody, which is the point
	}
	_ = Parse(nil, &into)
}

func TestParseNamesAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	err := Parse([]string{"POLL_INTERVAL=-1s", "POLL_BATCH_ROWS=0", "GIN=x"}, new(program))
	want := strings.Join([]string{
		"DATABASE_URL is not set, want Postgres URL or DSN",
		`GIN is "x", want one of on, off`,
		"POLL_INTERVAL is -1s, want above 0s",
		"POLL_BATCH_ROWS is 0, want 1 to 100000",
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("Parse = %v\nwant %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("POLL_BATCH_ROWS", "1")
	f.Add("POLL_BYTES", "\x00")
	f.Add("BROKERS", ",,")
	f.Fuzz(func(t *testing.T, name, value string) {
		var got program
		err := Parse([]string{databaseURL, name + "=" + value}, &got)
		var bad *Error
		if err != nil && !errors.As(err, &bad) {
			t.Fatalf("Parse(%q=%q) = %v, want an *Error", name, value, err)
		}
		if err == nil && (got.Poll.Rows < 1 || got.Poll.Rows > 100000) {
			t.Fatalf("Parse(%q=%q) let BATCH_ROWS be %d", name, value, got.Poll.Rows)
		}
	})
}

// FuzzHostileValue parses values that repeat a part any number of times. Memory grows
// with their bytes, and no further.
func FuzzHostileValue(f *testing.F) {
	for _, unit := range []string{"9", "1h", ",", "a,", " ", "\x00", `"`, "\xff"} {
		for _, name := range []string{"POLL_INTERVAL", "POLL_BATCH_ROWS", "POLL_BYTES", "BROKERS", "GIN", "DATABASE_URL"} {
			f.Add(name, unit, uint32(1<<16))
		}
	}
	f.Add("DATABASE_URL", "postgres://127.0.0.1/x?a=b&", uint32(1<<12))
	f.Fuzz(func(t *testing.T, name, unit string, n uint32) {
		const most = 64 << 10
		value := unit
		if unit != "" {
			value = strings.Repeat(unit, min(int(n), most/len(unit)+1))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Parse([]string{databaseURL, name + "=" + value}, new(program))
		runtime.ReadMemStats(&after)
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+64*len(value)); took > most {
			t.Errorf("%d bytes allocated for %s of %d bytes, want %d at most: %v", took, name, len(value), most, err)
		}
	})
}
