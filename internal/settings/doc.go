// Package settings reads a program's settings from environment variables into a
// struct, checks them, and prints them as a table.
//
// It keeps one promise: all faults are reported at once, each on a line of its
// own that begins with the variable's full name and says what is wanted.
//
// It knows nothing of any particular setting. A package declares its own part
// with struct tags and without a prefix; the program embeds that part and gives
// it one:
//
//	type settings struct {
//		DatabaseURL string        `env:"DATABASE_URL,required" secret:"true" help:"Postgres URL or DSN"`
//		Kafka       stream.Config `envPrefix:"KAFKA_"`
//	}
//
// Tags of a field: env (name; ",required"), envDefault, help (one line, with the
// unit), min and max (inclusive), above (exclusive), oneof (comma-separated),
// secret (its value is never shown), emptyOK (set but empty means empty, where
// otherwise it means the default). Bounds are written as the variable is. What
// lies between fields is checked by a method Faults() []string of any struct on
// the way: one line a fault, names of variables in braces and without prefix.
package settings
