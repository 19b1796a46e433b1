package gateway_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// items returns all items of a list, page by page.
func (r *rig) items(path string) (items []map[string]any) {
	r.t.Helper()
	for path != "" {
		page := r.object(path)
		for _, item := range page["items"].([]any) {
			items = append(items, item.(map[string]any))
		}
		path, _ = page["next"].(string)
	}
	return items
}

// A list as a file has all its items, in its order.
func TestAListAsAFileHasAllItems(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, list := range []string{"cases", "actors", "votes", "documents", "meetings", "search?q=an", "cases?q=lov", "votes?status=passed"} {
		name, query, _ := strings.Cut(list, "?")
		if query != "" {
			query = "?" + query
		}
		items := r.items("/v1/" + list)
		if len(items) == 0 {
			t.Fatalf("%s is empty, which proves nothing", list)
		}
		var lines []map[string]any
		for line := range strings.Lines(r.get("/v1/" + name + ".ndjson" + query).body) {
			var item map[string]any
			if err := json.Unmarshal([]byte(line), &item); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, item)
		}
		if diff := cmp.Diff(items, lines); diff != "" {
			t.Errorf("%s.ndjson (-list +file):\n%s", list, diff)
		}
		var want [][]string
		for _, item := range items {
			want = append(want, flat(t, item))
		}
		table, err := csv.NewReader(strings.NewReader(r.get("/v1/" + name + ".csv" + query).body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, cells(table)); diff != "" {
			t.Errorf("%s.csv (-list +file):\n%s", list, diff)
		}
		body := r.get("/v1/" + name + ".parquet" + query).body
		file, err := parquet.OpenFile(strings.NewReader(body), int64(len(body)))
		if err != nil || file.NumRows() != int64(len(items)) {
			t.Errorf("%s.parquet: %v, want %d rows", list, err, len(items))
		}
	}
}

// flat returns the members of an item and those of its objects, each "name=value", in order.
func flat(t *testing.T, item map[string]any) []string {
	t.Helper()
	all := map[string]string{}
	for name, value := range item {
		switch v := value.(type) {
		case nil:
		case map[string]any:
			for inner, value := range v {
				if value != nil {
					all[name+"_"+inner] = fmt.Sprint(value)
				}
			}
		case []any:
			all[name] = jsonText(t, v)
		default:
			all[name] = fmt.Sprint(v)
		}
	}
	return sorted(all)
}

// cells returns the fields of each line of a table that are not empty, in the same form.
func cells(table [][]string) (rows [][]string) {
	for _, line := range table[1:] {
		all := map[string]string{}
		for i, value := range line {
			if value != "" {
				all[table[0][i]] = value
			}
		}
		rows = append(rows, sorted(all))
	}
	return rows
}

func sorted(all map[string]string) (pairs []string) {
	for name, value := range all {
		if value != "" && !strings.HasPrefix(value, "[{") { // the order of members of objects within is not that of a map
			pairs = append(pairs, name+"="+value)
		}
	}
	slices.Sort(pairs)
	return pairs
}

// Columns have types, and what a member of a list has in it is a text of JSON.
func TestAListAsATableHasTypes(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	body := r.get("/v1/votes.parquet").body
	rows, err := parquet.Read[struct {
		ID         int64      `parquet:"id,optional"`
		Date       *time.Time `parquet:"date,optional,timestamp(microsecond)"`
		Passed     *bool      `parquet:"passed,optional"`
		CaseID     *int64     `parquet:"case_id,optional"`
		CaseNumber *string    `parquet:"case_number,optional"`
	}](strings.NewReader(body), int64(len(body)))
	if err != nil || len(rows) == 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, item := range r.items("/v1/votes") {
		row := rows[i]
		of := item["case"].(map[string]any)
		if float64(row.ID) != item["id"] || *row.Passed != item["passed"] || float64(*row.CaseID) != of["id"] || *row.CaseNumber != of["number"] ||
			row.Date.UTC().Format("2006-01-02T15:04:05") != item["date"] {
			t.Fatalf("row %d is %+v, the item %v", i, row, item)
		}
	}
	table, err := csv.NewReader(strings.NewReader(r.get("/v1/documents.csv?limit=3").body)).ReadAll()
	if err != nil || len(table) != 4 {
		t.Fatalf("three documents are %d lines, %v", len(table), err)
	}
	var files []map[string]any
	if column := len(table[0]) - 1; table[0][column] != "files" || json.Unmarshal([]byte(table[1][column]), &files) != nil {
		t.Errorf("the last column is %s: %q", table[0][column], table[1][column])
	}
}

// More items than fit into one read are still all of them, and each once.
func TestAListAsAFileIsReadInPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.exec(`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Sag', 1000000 + n, jsonb_build_object('id', 1000000 + n, 'titel', n), 1 FROM generate_series(1, 2500) n`)
	seen := map[string]bool{}
	lines := strings.Split(strings.TrimSpace(r.get("/v1/cases.csv").body), "\n")
	for _, line := range lines[1:] {
		id, _, _ := strings.Cut(line, ",")
		if seen[id] {
			t.Fatalf("case %s comes twice", id)
		}
		seen[id] = true
	}
	if want := 2500 + r.sim.Len("Sag"); len(seen) != want {
		t.Errorf("%d cases, want %d", len(seen), want)
	}
	if got := strings.Count(r.get("/v1/cases.csv?limit=1700").body, "\n"); got != 1701 {
		t.Errorf("1700 cases are %d lines", got)
	}
}

// A calendar has each meeting with its time, and no text breaks out of its line.
func TestMeetingsAreACalendar(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const hostile = "Udvalg; a, b\\c\r\nEND:VEVENT\u0007 æøå"
	put := func(id int64, data map[string]any) {
		data["id"] = id
		r.exec(`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq, opdateringsdato) VALUES ('Møde', $1, $2::jsonb, 1, '2030-01-02T03:04:05')`, id, jsonText(t, data))
	}
	put(90001, map[string]any{"titel": hostile + strings.Repeat("ø", 90), "dato": "2031-07-01T10:15:00", "lokale": "2-133", "opdateringsdato": "2030-01-02T03:04:05"})
	put(90002, map[string]any{"titel": "Hele dagen", "dato": "2031-01-31T00:00:00", "opdateringsdato": "2030-01-02T03:04:05"})
	put(90003, map[string]any{"titel": "Uden dato"})
	got := r.get("/v1/meetings.ics")
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/calendar; charset=utf-8" {
		t.Fatalf("= %d %s %s", got.status, got.header.Get("Content-Type"), got.body)
	}
	for line := range strings.SplitSeq(got.body, "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n\u0007") {
			t.Errorf("the line %q is not as RFC 5545 wants it", line)
		}
	}
	calendar, err := ics.ParseCalendar(bytes.NewReader([]byte(got.body)))
	if err != nil {
		t.Fatal(err)
	}
	if n, want := len(calendar.Events()), r.sim.Len("Møde")+2; n != want {
		t.Errorf("%d events, want %d: each meeting with a date", n, want)
	}
	events := map[string]*ics.VEvent{}
	for _, e := range calendar.Events() {
		events[e.Id()] = e
	}
	first := events["meeting-90001@odastream"]
	value := func(e *ics.VEvent, p ics.ComponentProperty) string {
		if property := e.GetProperty(p); property != nil {
			return property.Value
		}
		return ""
	}
	if first == nil || value(first, ics.ComponentPropertyDtStart) != "20310701T081500Z" || value(first, ics.ComponentPropertyDtstamp) != "20300102T020405Z" ||
		value(first, ics.ComponentPropertyLocation) != "2-133" || value(first, ics.ComponentPropertyUrl) != base+"/v1/meetings/90001" {
		t.Errorf("the meeting is %+v", first)
	}
	if want := "Udvalg; a, b\\c  END:VEVENT  æøå" + strings.Repeat("ø", 90); first != nil && value(first, ics.ComponentPropertySummary) != want {
		t.Errorf("its summary is %q, want %q", value(first, ics.ComponentPropertySummary), want)
	}
	day := events["meeting-90002@odastream"]
	if day == nil || value(day, ics.ComponentPropertyDtStart) != "20310131" {
		t.Errorf("the meeting without a time is %+v", day)
	}
	if one := r.get("/v1/meetings.ics?from=2031-07-01"); strings.Count(one.body, "BEGIN:VEVENT") != 1 {
		t.Errorf("meetings from a day on: %s", one.body)
	}
}
