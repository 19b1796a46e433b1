package stream

import "log/slog"

// Secret is text that no log line, error or formatted value shows. Convert it to
// string to use it. The zero value means no secret and prints as "".
type Secret string

const hidden = "(hidden)"

// String hides the secret: "(hidden)", or "" where there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
