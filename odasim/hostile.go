package odasim

import (
	"fmt"
	"strings"
)

// drawHostile draws what an attacker would send, or a broken service, if nothing else is
// wrong.
func (s *faultSource) drawHostile(f *fault) {
	hit := func(rate float64) bool { return s.hostile.Float64() < rate }
	redirect, bomb := hit(s.rates.RedirectRate), hit(s.rates.BombRate)
	empty, lagging, foreign, oversized := hit(s.rates.EmptyRate), hit(s.rates.LagRate), hit(s.rates.ForeignRate), hit(s.rates.OversizeRate)
	switch {
	case f.kind != noFault:
	case redirect:
		s.counts.Redirected++
		f.kind, f.location = redirectFault, s.rates.RedirectTo
	case bomb:
		s.counts.Bombs++
		f.kind = bombFault
	default:
		f.empty, f.lagging, f.foreign, f.oversized = empty, lagging, foreign, oversized
	}
}

// maxQuestions is how many questions are remembered whose answers were emptied.
const maxQuestions = 10_000

// empties reports whether the answer to a question is an empty page: not twice in a row.
func (s *faultSource) empties(question string, f fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.emptied[question]
	delete(s.emptied, question)
	if !f.empty || again {
		return false
	}
	if len(s.emptied) >= maxQuestions {
		clear(s.emptied)
	}
	s.emptied[question] = true
	s.counts.Empty++
	return true
}

// find finds the page's rows as the fault has it. Only the rows of a whole set may come
// from the second node.
func (p *page) find(s *Server, question string, limit int, f fault) {
	var found answer
	var old bool
	if p.whole {
		found, old = p.set.runNodes(p.query, limit, f.lagging)
	} else {
		found = p.query.over(s.rowsOf(p.within), limit)
	}
	if s.faults.empties(question, f) {
		found, old = answer{}, false
	}
	foreign := false
	if f.foreign {
		var data []byte
		if data, foreign = p.foreignRow(s, found.rows); foreign {
			found.rows = append(found.rows, data)
		}
	}
	f.disorder(found.rows)
	p.found = found
	s.faults.count(old, foreign, f.oversized)
}

// count counts what an answer met.
func (s *faultSource) count(old, foreign, oversized bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, met := range map[*int64]bool{&s.counts.Lagged: old, &s.counts.Foreign: foreign, &s.counts.Oversized: oversized} {
		if met {
			*n++
		}
	}
}

// foreignRow returns a row that the page cannot have behind these rows: the first of them
// again, or one with an id at the edge that the filter does not let through. ok is false
// if the filter lets all of them through, or there is none.
func (p *page) foreignRow(s *Server, rows [][]byte) (data []byte, ok bool) {
	if len(rows) > 0 {
		return rows[0], true
	}
	if p.query.filter == nil {
		return nil, false
	}
	for _, id := range []int64{minID, maxID} {
		data = fmt.Appendf(nil, `{"id":%d,"titel":"ikke bestilt","opdateringsdato":"1849-06-05T00:00:00"}`, id)
		r, err := s.options.encode(data)
		if err == nil && !p.query.filter.match(r) {
			return data, true
		}
	}
	return nil, false
}

// HostileRows returns rows that are JSON and that hardly any program is prepared for, with
// ids from first on: characters that databases and terminals do not take, numbers beyond
// every type, nesting, and long texts. Not every row of them can be kept by Postgres.
func HostileRows(first int64, stamp string) [][]byte {
	rows := make([][]byte, 0, len(hostileMembers()))
	for _, member := range hostileMembers() {
		rows = append(rows, fmt.Appendf(nil, `{"id":%d,%s,"opdateringsdato":%q}`, first+int64(len(rows)), member, stamp))
	}
	return rows
}

// hostileMembers are the members of hostile rows.
func hostileMembers() []string {
	const depth = 9_000
	return []string{
		`"titel":"a\u0000b"`, `"a\u0000b":"titel"`,
		`"titel":"a\ud800b"`, `"titel":"a\udc00b"`, `"titel":"\ud83d\ude00"`,
		`"titel":"\ufffe\uffff"`, `"titel":"\u001b]0;x\u0007\u001b[2J\r\n"`, `"titel":"\u202egnp.exe\u2028"`,
		`"nummer":1e131071`, `"nummer":1e400000`, `"nummer":1e-400000`, `"nummer":-0.0`,
		`"nummer":9223372036854775808`, `"nummer":` + strings.Repeat("9", 2000),
		`"typeid":99999999999`, `"typeid":"1"`, `"typeid":1.5`, `"titel":null,"titel":"to gange"`,
		`"titel":` + strings.Repeat("[", depth) + strings.Repeat("]", depth),
		`"titel":"` + strings.Repeat("æ", 100_000) + `"`,
		`"":""`, `"odata.metadata":"x"`, `"__proto__":{"id":1}`,
	}
}
