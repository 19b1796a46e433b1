package oda

import (
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
)

// The defaults of a Config's zero values.
const (
	defaultURL         = "https://oda.ft.dk/api"
	defaultConcurrency = 4
	defaultTimeout     = time.Minute
)

// Config says which source a Client asks and how politely. A zero Rate means no limit;
// other zero values become the defaults.
type Config struct {
	// URL is the service's base address, http or https, without a query. It may hold a
	// user and a password, which no error and no Report shows.
	URL string `env:"URL" envDefault:"https://oda.ft.dk/api" secret:"true" help:"base address of the source"`
	// Rate is the number of requests a second, tries included; 0 is no limit, for a
	// source of your own.
	Rate float64 `env:"RATE" envDefault:"5" min:"0" max:"100000" help:"requests a second to the source, 0 = no limit"`
	// Concurrency is the number of requests, and of connections, at once.
	Concurrency int `env:"CONCURRENCY" envDefault:"4" min:"1" max:"64" help:"requests at once to the source"`
	// Timeout limits one try, from sending it to the last byte of the body.
	Timeout time.Duration `env:"TIMEOUT" envDefault:"60s" min:"1s" max:"10m" help:"longest time a request may take, body included"`
	// Contact is a mail or web address. It goes into the User-Agent, so that the
	// source's owner can write before blocking us.
	Contact string `env:"CONTACT" help:"mail or web address for the source's owner, sent in the User-Agent"`
}

// Validate reports every value that New would refuse, one line each. It checks what
// tags cannot: that URL is an address and that Contact fits into a header.
func (c Config) Validate() error {
	var faults []error
	if _, err := c.base(); err != nil {
		faults = append(faults, err)
	}
	if !(c.Rate >= 0) { // written so that NaN is refused too
		faults = append(faults, fmt.Errorf("RATE is %v, want 0 or more", c.Rate))
	}
	if c.Concurrency < 0 {
		faults = append(faults, fmt.Errorf("CONCURRENCY is %d, want 1 or more", c.Concurrency))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("TIMEOUT is %s, want above 0s", c.Timeout))
	}
	if strings.ContainsFunc(c.Contact, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		faults = append(faults, errors.New("CONTACT holds a control character, want one line"))
	}
	return errors.Join(faults...)
}

// Faults is Validate for programs that read settings. It returns one line for each
// fault, with the variables' names in braces and without their prefix, and nil if there
// is none.
func (c Config) Faults() []string {
	err := c.Validate()
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		lines[i] = "{" + name + "} " + rest
	}
	return lines
}

// Public returns URL without a user and a password. A URL that cannot be parsed is not
// shown at all.
func (c Config) Public() string {
	u, err := c.withDefaults().base()
	if err != nil {
		return "(not right)"
	}
	return strings.TrimSuffix(public(u), "/")
}

// public returns an address without user and password; the user may be a token.
func public(u *url.URL) string {
	shown := *u
	shown.User = nil
	return shown.String()
}

// base returns the address to which a set's name is added; it ends in a slash. The
// error shows no part of it, since in a malformed address a password can be anywhere.
func (c Config) base() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
		strings.Contains(u.Path, "@") { // the rest of a password with a slash in it
		return nil, fmt.Errorf("URL is set, but not right, want an http or https address without a query, such as %s", defaultURL)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	u.RawPath = ""
	return u, nil
}

// withDefaults replaces zero values by the defaults.
func (c Config) withDefaults() Config {
	if c.URL == "" {
		c.URL = defaultURL
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// userAgent names the program, its version and the contact.
func (c Config) userAgent() string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	contact := c.Contact
	if contact == "" {
		contact = "no contact given"
	}
	return "odastream/" + version + " (live copy of the open data; " + contact + ")"
}
