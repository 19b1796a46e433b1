package settings

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"
)

// shortestSecret is the length of the shortest value that is hidden in logs. Hiding every
// "a" would protect nothing and make the logs unreadable.
const shortestSecret = 4

// dsnPassword matches the password in a keyword DSN of Postgres.
var dsnPassword = regexp.MustCompile(`(?i)password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)

// Secrets returns the texts that must not appear in a log: the value of each field with
// the tag secret. Of a URL or a DSN it is only the password, both as written and decoded.
func Secrets(of any) []string {
	var out []string
	for _, v := range variables(reflect.ValueOf(of).Elem(), "") {
		if !v.secret || v.field.Kind() != reflect.String {
			continue
		}
		for _, s := range secretParts(v.field.String()) {
			if len(s) >= shortestSecret {
				out = append(out, s)
			}
		}
	}
	return out
}

func secretParts(value string) []string {
	if all := dsnPassword.FindAllStringSubmatch(value, -1); all != nil && !strings.Contains(value, "://") {
		var parts []string
		for _, m := range all { // also matches sslpassword
			parts = append(parts, strings.Trim(m[1], "'"), m[1])
		}
		return parts
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return []string{value}
	}
	var parts []string
	if pass, ok := u.User.Password(); ok {
		parts = append(parts, pass, url.QueryEscape(pass), writtenPassword(value))
	} else if token := u.User.Username(); strings.HasPrefix(u.Scheme, "http") && token != "" {
		parts = append(parts, token, url.QueryEscape(token)) // a token may be in the place of the user
	}
	for _, name := range []string{"password", "sslpassword"} {
		if pass := u.Query().Get(name); pass != "" {
			parts = append(parts, pass, url.QueryEscape(pass))
		}
	}
	return parts
}

// writtenPassword returns the password of a URL as written, still encoded.
func writtenPassword(value string) string {
	_, rest, _ := strings.Cut(value, "://")
	user, _, _ := strings.Cut(rest, "@")
	_, pass, _ := strings.Cut(user, ":")
	return pass
}
