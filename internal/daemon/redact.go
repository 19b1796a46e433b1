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

// Redact returns a Postgres URL or DSN without its password, so that it may be shown. It
// shows nothing of one that it cannot parse.
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
