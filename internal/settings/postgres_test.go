package settings

import (
	"strings"
	"testing"
)

func TestAddressesOfPostgresAreRead(t *testing.T) {
	t.Parallel()
	for claim, address := range map[string]string{
		"a URL":                      "postgres://me:hunter22@db:5432/odastream?sslmode=disable",
		"a URL by its other name":    "postgresql://me@db/odastream",
		"a URL of several hosts":     "postgres://me:hunter22@one:5432,two:5432/odastream",
		"a URL of a socket":          "postgres:///odastream?host=/run/postgresql&user=me",
		"a DSN":                      "host=db user=me password=hunter22 dbname=odastream",
		"a DSN with blanks":          "  host=db password='hunter 22' dbname = odastream ",
		"a parameter of the server":  "host=db statement_timeout=5s odastream.part=x",
		"a parameter in a URL":       "postgres://db/x?application_name=a&search_path=b",
		"a password with an at sign": "postgres://me:hunter%4022@db/odastream",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if err := CheckPostgres(address); err != nil {
				t.Errorf("CheckPostgres(%q): %v", address, err)
			}
		})
	}
}

func TestUnreadableAddressesAreBadSettingsWithoutSecrets(t *testing.T) {
	t.Parallel()
	for claim, address := range map[string]string{
		"a blank before a URL":                " postgres://me:hunter22@db/x",
		"a blank before, with a parameter":    " postgres://me:hunter22@db/x?sslmode=disable",
		"a line break behind a URL":           "postgres://me:hunter22@db/x\n",
		"a tab before a URL":                  "\tpostgres://me@db/x?password=hunter22",
		"a URL in quotes":                     `"postgres://me:hunter22@db/x?sslmode=disable"`,
		"the variable's name before it":       "DATABASE-URL=postgres://me:hunter22@db/x",
		"psql before it":                      "psql postgres://me:hunter22@db/x?sslmode=disable",
		"another scheme":                      "mysql://me:hunter22@db/x?sslmode=disable",
		"a scheme in capitals":                "Postgres://me:hunter22@db/x?sslmode=disable",
		"no scheme":                           "me:hunter22@db/x?sslmode=disable",
		"a password alone":                    "hunter22",
		"a slash in the password, no port":    "postgres://me:hunter22/x@db:port/x",
		"a percent in the password":           "postgres://me:hunter22%zz@db/x",
		"a port that is a word":               "postgres://me:pw@db:hunter22/x",
		"a port of a DSN that is a word":      "host=db port=hunter22 user=me",
		"a DSN that breaks off":               "host=db password='hunter22",
		"a value of sslmode that is a secret": "postgres://me@db/x?sslmode=hunter22",
		"a file that is not there":            "postgres://me:hunter22@db/x?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var got struct {
				DatabaseURL string `env:"DATABASE_URL,required" secret:"true" address:"postgres" help:"Postgres URL or DSN"`
				Rows        int    `env:"ROWS" min:"1"`
			}
			err := Parse([]string{"DATABASE_URL=" + address, "ROWS=-1"}, &got)
			if err == nil || !strings.Contains(err.Error(), "DATABASE_URL is set, but not right, want ") || !strings.Contains(err.Error(), "ROWS") {
				t.Fatalf("Parse(%q) = %v, want both faults", address, err)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("Parse(%q) = %v shows the password", address, err)
			}
		})
	}
}

func FuzzCheckPostgres(f *testing.F) {
	f.Add("postgres://me:", "@db/x")
	f.Add(" host=db password='", "' sslmode=disable")
	f.Add("postgres://db/", "?x")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter22hunter22"
		if err := CheckPostgres(before + secret + after); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("CheckPostgres(%q) = %v shows the secret", before+secret+after, err)
		}
	})
}
