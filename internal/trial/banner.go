package trial

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"odastream/internal/host/pgserver"
)

// describe says what the trial runs on and how to look at it.
func (t *trial) describe(ctx context.Context) {
	for _, line := range t.banner(psqlCommand(ctx, t.servers.postgres.URL())) {
		t.screen.Println(line)
	}
}

// banner is written for somebody who sees the program for the first time.
func (t *trial) banner(psql string) []string {
	lines := []string{
		"odastream: the open data of the Danish parliament, followed by this one process.", "",
		"  answers   http://" + t.gateway.Addr() + "/api/, as oda.ft.dk does",
		"  source    " + t.sourceLine(),
		"  topics    " + t.topicsLine(),
		"  tables    Postgres " + t.servers.postgres.Version() + ", started from this machine's binaries, for this trial alone",
		"  state     " + t.stateLine(),
		"  status    " + t.statusLine(), "",
		"To look, in another terminal:",
	}
	return append(append(lines, t.lookLines(psql)...), "", "Ctrl-C stops everything; the next start goes on from there.", "")
}

func (t *trial) sourceLine() string {
	if !t.simulated {
		return t.settings.Source.Public() + ", live"
	}
	o := t.servers.parliament.Origin()
	return fmt.Sprintf("SIMULATED parliament at %s (seed %d, scale %g; something happens every %s)",
		t.servers.parliament.URL(), o.Seed, o.Scale, t.cfg.Pace)
}

func (t *trial) topicsLine() string {
	line := t.servers.broker.Addr() + ", embedded broker: a single-process fake of the Kafka protocol, for trials only"
	if was := t.servers.broker.PreviousAddr(); was != "" {
		line += " (it was at " + was + ", which another program has taken)"
	}
	return line
}

func (t *trial) stateLine() string {
	if t.earlier.Applied == 0 {
		return t.state.dir + " (new; log in " + logFile + ")"
	}
	return fmt.Sprintf("%s (goes on where it ended %s: %d of %d entities loaded; log in %s)",
		t.state.dir, t.earlier.Last.Local().Format(time.DateTime), t.earlier.Loaded, len(t.entities), logFile)
}

func (t *trial) statusLine() string {
	var parts []string
	for _, addr := range []string{t.place.Poller, t.place.Sink} {
		if addr != "" {
			parts = append(parts, "http://"+addr+"/status")
		}
	}
	if len(t.taken) > 0 {
		parts = append(parts, "off for the "+strings.Join(t.taken, " and the ")+": another program has the port")
	}
	return strings.Join(parts, ", ")
}

// lookLines are commands to paste.
func (t *trial) lookLines(psql string) []string {
	example := t.entities[len(t.entities)-1]
	columns := []string{"id"}
	for _, e := range t.entities {
		if e.Name == "Sag" {
			example, columns = e, []string{"id", "titel"}
		}
	}
	query := fmt.Sprintf("select %s from parliament.%s order by opdateringsdato desc limit 5", strings.Join(columns, ", "), example.Suffix)
	lines := []string{"  curl 'http://" + t.gateway.Addr() + "/api/" + url.PathEscape(example.Name) + "?$top=1'"}
	if psql != "" {
		lines = append(lines, "  "+psql, "  "+psql+` -c "`+query+`"`)
	} else {
		lines = append(lines, "  any Postgres client, at "+t.servers.postgres.URL()+" (psql is not installed)")
	}
	return append(lines,
		"  kcat -C -b "+t.servers.broker.Addr()+" -t "+t.kafka.Topic(example.Name)+" -o -5",
		"  odastream tail "+example.Name+t.dirFlag()+"    odastream status"+t.dirFlag())
}

// dirFlag is what another command needs to find this trial.
func (t *trial) dirFlag() string {
	if dir, err := DefaultDir(); err == nil && dir == t.cfg.Dir {
		return ""
	}
	return " --dir " + quoted(t.cfg.Dir)
}

// psqlCommand is the command that opens the database, for a shell; "" where the
// machine has no psql. It names all that a PG variable could turn elsewhere.
func psqlCommand(ctx context.Context, databaseURL string) string {
	program := "psql"
	if _, err := exec.LookPath(program); err != nil {
		binaries, err := pgserver.FindBinaries(ctx, "")
		if err != nil {
			return ""
		}
		program = filepath.Join(binaries.Dir, "psql")
		if _, err := os.Stat(program); err != nil {
			return ""
		}
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		return ""
	}
	q := u.Query()
	return strings.Join([]string{
		quoted(program), "-h", quoted(q.Get("host")), "-p", q.Get("port"), "-U", quoted(q.Get("user")),
		quoted(strings.TrimPrefix(u.Path, "/")),
	}, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_/.:@%+=,-]+$`)

// quoted writes a word for a shell.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
