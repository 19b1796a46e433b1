package settings

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"
)

// shortestSecret is the length below which a value is not looked for in logs:
// hiding every "a" would hide nothing and garble all.
const shortestSecret = 4

// dsnPassword is the password in a keyword DSN of Postgres.
var dsnPassword = regexp.MustCompile(`(?i)password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)

// Secrets lists the texts that must not appear in a log: the value of each
// field with the tag secret, and where that is a URL or a DSN, its password only
// (as written and decoded).
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
		for _, m := range all { // sslpassword too
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
		parts = append(parts, token, url.QueryEscape(token)) // a token stands in the user's place
	}
	for _, name := range []string{"password", "sslpassword"} {
		if pass := u.Query().Get(name); pass != "" {
			parts = append(parts, pass, url.QueryEscape(pass))
		}
	}
	return parts
}

// writtenPassword is the password of a URL as it stands there, still encoded.
func writtenPassword(value string) string {
	_, rest, _ := strings.Cut(value, "://")
	user, _, _ := strings.Cut(rest, "@")
	_, pass, _ := strings.Cut(user, ":")
	return pass
}
