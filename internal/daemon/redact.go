package daemon

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	dsnPassword = regexp.MustCompile(`(?i)(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)`)
	urlPassword = regexp.MustCompile(`(?i)([?&](?:ssl)?password=)[^&]*`)
)

// Redact gives a Postgres URL or DSN as it may be shown: without its password.
// What it cannot read it does not show at all.
func Redact(dsn string) string {
	if !strings.Contains(dsn, "://") {
		return dsnPassword.ReplaceAllString(dsn, "${1}"+hidden)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return hidden
	}
	if _, ok := u.User.Password(); ok {
		u.User = url.User(u.User.Username())
	}
	return urlPassword.ReplaceAllString(u.String(), "${1}"+hidden)
}
