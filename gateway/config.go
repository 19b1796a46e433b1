package gateway

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Config says how the gateway answers. The zero value is not valid; the tags hold the
// defaults.
type Config struct {
	URL         string        `env:"URL" help:"public address, for the links in answers, such as https://oda.example.org; default: as the client wrote it"`
	TopMax      int           `env:"TOP_MAX" envDefault:"10000" min:"100" max:"100000" help:"rows of a page, at most"`
	Timeout     time.Duration `env:"TIMEOUT" envDefault:"10s" min:"100ms" max:"5m" help:"longest time of a query"`
	Connections int           `env:"CONNECTIONS" envDefault:"8" min:"1" max:"500" help:"connections to Postgres"`
	Simple      int           `env:"SIMPLE" envDefault:"50" min:"1" max:"10000" help:"simple requests at once: a key, or one indexed condition and 100 rows at most"`
	Medium      int           `env:"MEDIUM" envDefault:"20" min:"1" max:"10000" help:"medium requests at once: those between simple and complex"`
	Complex     int           `env:"COMPLEX" envDefault:"5" min:"1" max:"10000" help:"complex requests at once: two levels of expand, a search without an index, more than 1000 rows, or a cost above 100,000 by Postgres's estimate"`
	MaxAge      time.Duration `env:"MAX_AGE" envDefault:"5s" min:"0s" max:"24h" help:"how long a cache may keep an answer without asking again"`
}

// Faults reports a URL that no link can start with.
func (c Config) Faults() []string {
	if c.URL == "" {
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(c.URL, "?#") {
		return []string{fmt.Sprintf("{URL} is %q, want an address such as https://oda.example.org, without a user, ? or #", c.URL)}
	}
	return nil
}
