package odata_test

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// clientQuery is a query form of a real program.
type clientQuery struct{ number, path, query, about string }

// clientQueries reads the query forms of real programs.
func clientQueries(t *testing.T) (list []clientQuery) {
	t.Helper()
	file, err := os.Open(shared(t, "client-queries.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	text := bufio.NewScanner(file)
	text.Buffer(nil, 1<<20)
	for text.Scan() {
		columns := strings.Split(text.Text(), "\t")
		path, query, _ := strings.Cut(strings.TrimPrefix(columns[3], "/api/"), "?")
		if columns[0] != "n" {
			list = append(list, clientQuery{columns[0], path, query, columns[len(columns)-1]})
		}
	}
	if err := text.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// refused returns the forms that get an error, by number, and what it says: the source
// answers most of them with all rows, as if nothing had been asked.
func refused() map[string]string {
	return map[string]string{
		"49":  `path at character 1: there is no entity set`,
		"81":  `$filter at character 1: Møde has no field or link "periode_id"`,
		"82":  `$filter at character 1: Afstemning has no field or link "dato"`,
		"84":  `$filter at character 1: Stemme has no field or link "afstemning"`,
		"111": `path at character 1: there is no entity set "Tale"`,
		"114": `$expand at character 1: "fraAktør($select=id" is of OData v4`,
		"117": `path at character 1: there is no entity set "SagKategori"; allowed: Sagskategori`,
		"150": `$filter at character 1: Sag has no field or link "Id"`,
		"174": `$expand at character 6: "Sagstrin($expand=Sag)" is of OData v4`,
		"189": `$expand at character 1: "Dagsordenspunkt($expand=Møde" is of OData v4`,
		"336": `$filter at character 1: Stemme has no field or link "aktørideq"`,
	}
}

func TestTheFormsOfRealProgramsAreUnderstood(t *testing.T) {
	t.Parallel()
	refused := refused()
	list := clientQueries(t)
	if len(list) < 200 {
		t.Fatalf("there are %d forms, want more than 200", len(list))
	}
	for _, q := range list {
		_, err := model.Parse(q.path, q.query)
		want, refuse := refused[q.number]
		switch {
		case refuse && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("form %s, %s?%s gives %v, want %s …", q.number, q.path, q.query, err, want)
		case !refuse && err != nil:
			t.Errorf("form %s, %s?%s (%s): %v", q.number, q.path, q.query, q.about, err)
		}
	}
}
