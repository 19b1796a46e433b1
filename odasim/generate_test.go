package odasim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"odastream/schema"
)

// everyRow returns all rows of all sets.
func everyRow(s *Server) map[string]string {
	all := map[string]string{}
	for _, name := range s.names {
		all[name] = string(bytes.Join(s.Rows(name), []byte("\n")))
	}
	return all
}

// object is a decoded row.
func object(t *testing.T, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return m
}

func TestGenerateDependsOnlyOnTheSeed(t *testing.T) {
	t.Parallel()
	at := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	a, b, other := newSim(Options{}), newSim(Options{Now: func() time.Time { return at }}), newSim(Options{})
	a.Generate(3, 0.05)
	b.Generate(3, 0.05)
	other.Generate(4, 0.05)
	if d := diff.Diff(everyRow(a), everyRow(b)); d != "" {
		t.Errorf("the same seed generates different rows:\n%s", d)
	}
	if diff.Equal(everyRow(a), everyRow(other)) {
		t.Error("two seeds generate the same rows")
	}
}

func TestGenerateNothing(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	s.Generate(1, 0)
	for _, name := range s.names {
		if s.Len(name) > 0 {
			t.Errorf("%s has %d rows, want none", name, s.Len(name))
		}
	}
}

func TestGenerateFillsEverySet(t *testing.T) {
	t.Parallel()
	for claim, scale := range map[string]float64{"tiny": 0.001, "scale 1": 1} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newSim(Options{})
			s.Generate(1, scale)
			rows := 0
			for _, e := range schema.Entities() {
				rows += s.Len(e.Name)
				if s.Len(e.Name) == 0 && !e.Subset {
					t.Errorf("%s is empty", e.Name)
				}
			}
			if s.Len("EUsag") != 0 {
				t.Error("EUsag has rows; the source's has none")
			}
			if scale == 1 && (rows < 15_000 || rows > 30_000) {
				t.Errorf("%d rows at scale 1, want about 20,000", rows)
			}
		})
	}
}

// TestGenerateIsPlausible checks the rows against the schema, the references and the
// figures of the source.
func TestGenerateIsPlausible(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	s.Generate(2, 0.3)
	for _, e := range schema.Entities() {
		for _, data := range s.Rows(e.Name) {
			checkRow(t, s, e, object(t, data))
		}
	}
	checkVotes(t, s)
	if last := s.sets["AktørAktør"].maxID(); last < int64(100*s.Len("AktørAktør")) {
		t.Errorf("AktørAktør: ids to %d for %d rows, want them far apart", last, s.Len("AktørAktør"))
	}
}

// targets returns the set that a field refers to, by the field's name.
func targets() map[string]string {
	return map[string]string{
		"afstemningid": "Afstemning", "aktørid": "Aktør", "fraaktørid": "Aktør", "tilaktørid": "Aktør", "sagid": "Sag",
		"sagstrinid": "Sagstrin", "førstesagstrinid": "Sagstrin", "andetsagstrinid": "Sagstrin", "dokumentid": "Dokument", "mødeid": "Møde",
		"dagsordenspunktid": "Dagsordenspunkt", "superid": "Dagsordenspunkt", "emneordid": "Emneord", "periodeid": "Periode",
		"Afstemning.typeid": "Afstemningstype", "Stemme.typeid": "Stemmetype", "Aktør.typeid": "Aktørtype", "Sag.typeid": "Sagstype",
		"Sag.statusid": "Sagsstatus", "Sag.kategoriid": "Sagskategori", "Sagstrin.typeid": "Sagstrinstype", "Sagstrin.statusid": "Sagstrinsstatus",
		"Dokument.typeid": "Dokumenttype", "Dokument.statusid": "Dokumentstatus", "Dokument.kategoriid": "Dokumentkategori",
		"Møde.typeid": "Mødetype", "Møde.statusid": "Mødestatus", "Emneord.typeid": "Emneordstype", "AktørAktør.rolleid": "AktørAktørRolle",
		"SagAktør.rolleid": "SagAktørRolle", "SagDokument.rolleid": "SagDokumentRolle", "DokumentAktør.rolleid": "DokumentAktørRolle",
		"SagstrinAktør.rolleid": "SagstrinAktørRolle",
	}
}

// checkRow checks that a row has exactly its set's fields, with their types, and that the
// rows it refers to exist.
func checkRow(t *testing.T, s *Server, e schema.Entity, m map[string]any) {
	t.Helper()
	refers := targets()
	if len(m) != len(e.Fields) {
		t.Fatalf("%s has %d fields, want %d: %v", e.Name, len(m), len(e.Fields), m)
	}
	for _, f := range e.Fields {
		value, given := m[f.Name]
		if !given || !fits(f, value) {
			t.Fatalf("%s.%s is %v (given: %v), want %s", e.Name, f.Name, value, given, f.Type)
		}
		set := cmp.Or(refers[f.Name], refers[e.Name+"."+f.Name])
		if set == "" || value == nil {
			continue
		}
		id, err := value.(json.Number).Int64()
		if err != nil || s.Row(set, id) == nil {
			t.Fatalf("%s %v: %s refers to %s(%v), which does not exist", e.Name, m["id"], f.Name, set, value)
		}
	}
}

// fits reports whether a field may hold a value.
func fits(f schema.Field, value any) bool {
	edm := f.Type
	switch value := value.(type) {
	case nil:
		return f.Nullable
	case json.Number:
		_, err := value.Int64()
		return err == nil && strings.HasPrefix(edm, "Edm.Int")
	case string:
		_, err := parseMoment(value)
		return edm == "Edm.String" || edm == "Edm.DateTime" && err == nil
	default:
		_, isBool := value.(bool)
		return isBool && edm == "Edm.Boolean"
	}
}

// checkVotes checks that each division has 179 votes with one stamp, not later than its
// own.
func checkVotes(t *testing.T, s *Server) {
	t.Helper()
	type tie struct {
		votes  int
		stamps map[string]bool
	}
	ties := map[string]*tie{}
	for _, data := range s.Rows("Stemme") {
		m := object(t, data)
		id := string(m["afstemningid"].(json.Number))
		if ties[id] == nil {
			ties[id] = &tie{stamps: map[string]bool{}}
		}
		ties[id].votes++
		ties[id].stamps[m[stampField].(string)] = true
	}
	if len(ties) != s.Len("Afstemning") || len(ties) == 0 {
		t.Errorf("%d divisions have votes, want all %d", len(ties), s.Len("Afstemning"))
	}
	for _, data := range s.Rows("Afstemning") {
		m := object(t, data)
		tied := ties[string(m["id"].(json.Number))]
		if tied.votes != seats || len(tied.stamps) != 1 {
			t.Errorf("division %v has %d votes with %d stamps, want 179 with one", m["id"], tied.votes, len(tied.stamps))
		}
		for stamp := range tied.stamps {
			own, _ := parseMoment(m[stampField].(string))
			votes, err := parseMoment(stamp)
			if after := time.Duration(own-votes) * 100 / 3; err != nil || after < 0 || after > 210*time.Millisecond {
				t.Errorf("division %v is stamped %s after its votes, want 0s to 0.2s", m["id"], after)
			}
		}
	}
}

// TestNobodyVotesBeforeBelongingToAParty checks that the party of each member who votes
// is known for the day of the meeting.
func TestNobodyVotesBeforeBelongingToAParty(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	s.Generate(1, 0.5)
	since := map[string]string{}
	for _, data := range s.Rows("AktørAktør") {
		m := object(t, data)
		member := fmt.Sprint(m["fraaktørid"])
		since[member] = fmt.Sprint(m["startdato"])
	}
	votes := s.Rows("Stemme")
	for _, data := range votes {
		m := object(t, data)
		from, known := since[fmt.Sprint(m["aktørid"])]
		if stamp := fmt.Sprint(m[stampField]); !known || stamp < from {
			t.Fatalf("%s is a vote of a member of a party since %q", data, from)
		}
	}
	if len(votes) == 0 {
		t.Error("there are no votes")
	}
}

// TestLiveChangesRows checks that a live parliament adds, moves, restamps, silently edits and
// deletes rows, with stamps of its own clock.
func TestLiveChangesRows(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newSim(Options{Now: func() time.Time { return at }})
	s.Generate(1, 0.05)
	before := objects(t, s)
	for range 600 {
		if s.Step() == "" {
			t.Fatal("a step returned no text")
		}
	}
	changes := map[string]int{}
	after := objects(t, s)
	for key, m := range after {
		change, stamped := changeOf(before[key], m)
		changes[change]++
		if stamp, _ := m[stampField].(string); stamped && !strings.HasPrefix(stamp, "2026-11-24T13:00:00") {
			t.Fatalf("%s is stamped %v, want the clock's 13:00 in Denmark", key, stamp)
		}
	}
	for key := range before {
		if after[key] == nil {
			changes["vanished"]++
		}
	}
	for _, change := range []string{"created", "changed", "restamped", "silently edited", "vanished", "left alone"} {
		if changes[change] == 0 {
			t.Errorf("no row was %s in 600 events: %v", change, changes)
		}
	}
}

// objects returns every row of every set, by set and id.
func objects(t *testing.T, s *Server) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for _, name := range s.names {
		for _, data := range s.Rows(name) {
			m := object(t, data)
			all[name+":"+string(m["id"].(json.Number))] = m
		}
	}
	return all
}

// changeOf returns what happened to a row, and whether it has a new stamp.
func changeOf(before, after map[string]any) (change string, stamped bool) {
	if before == nil {
		return "created", true
	}
	stamped = before[stampField] != after[stampField]
	content := maps.Clone(before)
	content[stampField] = after[stampField]
	changed := !diff.Equal(content, after)
	switch {
	case changed && stamped:
		return "changed", true
	case changed:
		return "silently edited", false
	case stamped:
		return "restamped", true
	default:
		return "left alone", false
	}
}

// TestLiveOnCaptures checks that new rows can follow captured ones, although the captures
// lack most sets, and that the captured rows stay.
func TestLiveOnCaptures(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	dir := t.TempDir()
	file(t, dir, "aktoer.ndjson", `{"id":900,"typeid":5,"navn":"Bo","opdateringsdato":"2019-03-20T19:21:12"}`)
	if err := s.Load(dir); err != nil {
		t.Fatal(err)
	}
	for s.Len("Stemme") == 0 {
		s.Step()
	}
	if s.Len("Aktør") != 1 || s.Len("Sagstype") == 0 {
		t.Errorf("%d actors, %d case types; want the captured actor and new types", s.Len("Aktør"), s.Len("Sagstype"))
	}
	checkRow(t, s, mustLookup(t, "Stemme"), object(t, s.Rows("Stemme")[0]))
}

func mustLookup(t *testing.T, name string) schema.Entity {
	t.Helper()
	e, err := schema.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestLivePace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(Options{})
		var log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		s.Live(ctx, Pace{Every: 2 * time.Second, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if got := strings.Count(log.String(), "event in the parliament"); got != 5 {
			t.Errorf("%d events in 10 s at one every 2 s, want 5: %s", got, &log)
		}
	})
}

// TestLiveLate checks that all late rows appear in the end, none too early, with ids of
// their own.
func TestLiveLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute+time.Millisecond)
		defer cancel()
		s.Live(ctx, Pace{Late: time.Hour})
		shown := func() (n int) {
			for _, name := range s.names {
				n += s.Len(name)
			}
			return n
		}
		before, held := shown(), len(s.late)
		if held == 0 {
			t.Fatal("no row is late")
		}
		ask(t, s, "/Stemme")
		if got := shown(); got != before {
			t.Errorf("%d rows are shown before their time", got-before)
		}
		s.Advance(time.Hour)
		ask(t, s, "/Stemme")
		if got := shown() - before; got != held {
			t.Errorf("%d rows are shown an hour later, want the %d late ones", got, held)
		}
	})
}

// TestSubsetsFollowSag checks that a case is the same row in its subset.
func TestSubsetsFollowSag(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	s.Generate(1, 0.1)
	for range 100 {
		s.Step()
	}
	twins := 0
	for _, data := range s.Rows("Sag") {
		m := object(t, data)
		id, _ := m["id"].(json.Number).Int64()
		kind, _ := m["typeid"].(json.Number).Int64()
		name := subset(int(kind))
		if name == "" {
			continue
		}
		twins++
		if got := s.Row(name, id); !bytes.Equal(got, data) {
			t.Errorf("case %d is %s in %s, want %s", id, got, name, data)
		}
	}
	if total := s.Len("Almdel") + s.Len("Forslag") + s.Len("Aktstykke") + s.Len("Debat"); twins == 0 || twins != total {
		t.Errorf("%d cases have a subset, %d rows are in subsets", twins, total)
	}
}
