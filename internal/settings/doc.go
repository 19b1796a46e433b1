// Package settings reads a program's settings from environment variables into a
// struct, checks them, and prints them as a table.
//
// Invariant: all faults are reported at once. Each has its own line, which begins with
// the variable's full name and says what is wanted.
//
// It knows nothing of any particular setting. A package declares its own part with struct
// tags, without a prefix. The program embeds that part and adds the prefix:
//
//	type settings struct {
//		DatabaseURL string        `env:"DATABASE_URL,required" secret:"true" help:"Postgres URL or DSN"`
//		Kafka       stream.Config `envPrefix:"KAFKA_"`
//	}
//
// Tags of a field: env (name; ",required"), envDefault, help (one line, with the unit),
// min and max (inclusive), above (exclusive), oneof (comma-separated), secret (its value
// is never shown), emptyOK (set but empty means empty, not the default). Bounds are
// written like the variable's values. To check fields against each other, any of the
// structs may have a method Faults() []string. It returns one line a fault, with
// variables' names in braces and without prefix.
package settings
