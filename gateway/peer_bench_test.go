package gateway_test

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"odastream/internal/test/machine"
	"odastream/internal/test/program"
)

// peerRows makes a database of SQLite from the lines of an export of Sag: the columns and
// the index that somebody would make who publishes it.
const peerRows = `
import json, sqlite3, sys, urllib.request
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE Sag (id INTEGER PRIMARY KEY, typeid INTEGER, statusid INTEGER, titel TEXT, titelkort TEXT, nummer TEXT, resume TEXT, opdateringsdato TEXT, periodeid INTEGER)")
names = [c[1] for c in db.execute("PRAGMA table_info(Sag)")]
rows = (json.loads(line) for line in urllib.request.urlopen(sys.argv[2]))
db.executemany(f"INSERT INTO Sag VALUES ({','.join('?' * len(names))})", ([r[n] for n in names] for r in rows))
db.execute("CREATE INDEX Sag_typeid ON Sag (typeid)")
db.commit()
`

// BenchmarkPeer measures answers that Datasette gives too, which publishes a database of
// SQLite as JSON by HTTP, over the same rows: with one process each, at 32 clients.
func BenchmarkPeer(b *testing.B) {
	r := benchRig(b)
	peer := datasette(b, r.url+"/v1/export/Sag.ndjson")
	for name, form := range map[string]struct{ ours, theirs string }{
		"row by id":   {"/api/Sag(%d)", "/sag/Sag/%d.json?_shape=object"},
		"page of 100": {"/api/Sag?$filter=id%%20gt%%20%d&$orderby=id&$top=100", "/sag/Sag.json?id__gt=%d&_sort=id&_size=100&_shape=array&_nofacet=1&_nocount=1"},
		"count":       {"/api/Sag/$count?$filter=typeid%%20eq%%203%%20and%%20id%%20gt%%20%d", "/sag.json?sql=select+count(*)+from+Sag+where+typeid=3+and+id>%d&_shape=array"},
	} {
		b.Run(name, func(b *testing.B) {
			beside(b, "datasette", func(n int) string { return r.url + fmt.Sprintf(form.ours, n) }, func(n int) string { return peer + fmt.Sprintf(form.theirs, n) })
		})
	}
}

// datasette starts the peer over the rows of an export, and returns its address.
func datasette(b *testing.B, export string) string {
	b.Helper()
	dir, err := libraries(b.Context(), "datasette.txt", "python3 -m venv . && bin/python -m pip install --quiet -r datasette.txt")
	if err != nil {
		b.Fatal(err)
	}
	python, file := filepath.Join(dir, "bin", "python"), filepath.Join(b.TempDir(), "sag.db")
	fill := exec.CommandContext(b.Context(), python, "-", file, export)
	fill.Stdin = strings.NewReader(peerRows)
	if out, err := fill.CombinedOutput(); err != nil {
		b.Fatalf("fill the peer: %v: %s", err, out)
	}
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	p := program.Start(b, "datasette", exec.CommandContext(b.Context(), python, "-m", "datasette", "-i", file, "-h", host, "-p", port))
	address := "http://" + net.JoinHostPort(host, port)
	p.Until(b, machine.Wait{For: "datasette to answer"}, func() bool { return fetch(b.Context(), http.DefaultClient, address+"/sag.json") == nil })
	return address
}
