package oda

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// lastDigits are the possible last digits of a stamp's milliseconds: SQL Server's
// datetime counts 1/300 s.
const lastDigits = "037"

// samples are rows to ask for by their own stamps.
type samples struct {
	byDigit map[byte]Row // by the last digit of the milliseconds
	control Row          // asked for by its id alone; ID 0: there is none
}

// chooseSamples takes one row for each digit, the oldest stamps first: those rows are the
// least likely to change meanwhile.
func chooseSamples(rows []Row) samples {
	s := samples{byDigit: map[byte]Row{}}
	for _, r := range rows {
		digit, ok := lastDigit(r.Opdateringsdato)
		if _, taken := s.byDigit[digit]; ok && !taken {
			s.byDigit[digit] = r
		}
	}
	for _, r := range slices.Backward(rows) {
		if !s.asksFor(r.ID) {
			s.control = r
			break
		}
	}
	return s
}

// asksFor reports whether a row is among the samples.
func (s samples) asksFor(id int64) bool {
	for _, r := range s.byDigit {
		if r.ID == id {
			return true
		}
	}
	return s.control.ID == id
}

// lastDigit returns the last of a stamp's three decimals. It returns false for a text
// that is no stamp or has another precision.
func lastDigit(stamp string) (byte, bool) {
	if !isWall(stamp) {
		return 0, false
	}
	text := trimWall(stamp)
	if len(text) < len(wallLayout) {
		return '0', true
	}
	digit := text[len(text)-1]
	return digit, len(text) == len(wallLayout) && strings.IndexByte(lastDigits, digit) >= 0
}

// filter returns a filter for each row by id and by op with its own stamp, and for the
// control. It has no parentheses: the source once misread dates beside them.
func (s samples) filter(op string) string {
	var parts []string
	for _, digit := range []byte(lastDigits) {
		if r, ok := s.byDigit[digit]; ok {
			parts = append(parts, fmt.Sprintf("id eq %d and opdateringsdato %s %s", r.ID, op, literal(r.Opdateringsdato)))
		}
	}
	if s.control.ID != 0 {
		parts = append(parts, fmt.Sprintf("id eq %d", s.control.ID))
	}
	return "$filter=" + url.PathEscape(strings.Join(parts, " or ")) + "&$orderby=id"
}

// unexpected returns a row that was not asked for.
func (s samples) unexpected(rows []Row) (Row, bool) {
	for _, r := range rows {
		if !s.asksFor(r.ID) {
			return r, true
		}
	}
	return Row{}, false
}

// stamps asks for rows by their own stamps, with eq and with gt.
func (p *prober) stamps(ctx context.Context) error {
	if p.specimen == "" {
		return nil
	}
	s := chooseSamples(slices.Concat(p.oldest.rows, p.newest.rows))
	if len(s.byDigit) == 0 {
		p.report.add(comparisonUnknown("no row of " + p.specimen + " has a stamp of three decimals or fewer"))
		return nil
	}
	hits, err := p.hits(ctx, s)
	r, stray := s.unexpected(slices.Concat(hits[0], hits[1]))
	if stray { // a fault of one answer is none of the service
		p.again += len(hits)
		hits, err = p.hits(ctx, s)
		r, stray = s.unexpected(slices.Concat(hits[0], hits[1]))
	}
	switch {
	case err != nil:
		return p.failed("stamp-comparison", err)
	case stray:
		p.report.judge(p.specimen, fault(ErrNotHonoured, "id %d was not requested", r.ID))
		// Trouble, so that the next probe comes soon: the entity waits for it.
		var t tally
		t.notHonoured = []string{fmt.Sprintf("%s: id %d was not requested", p.specimen, r.ID)}
		p.report.add(t.finding("stamp-comparison", "id and opdateringsdato together"))
		return nil
	}
	p.control(s, hits)
	s.dropChanged(slices.Concat(hits[0], hits[1]))
	p.report.add(p.judgeComparison(s, hits))
	return nil
}

// hits returns the samples that the source finds by their own stamps, with eq and with gt.
func (p *prober) hits(ctx context.Context, s samples) (hits [2][]Row, err error) {
	for i, op := range []string{"eq", "gt"} {
		answer, err := p.ask(ctx, p.specimen, s.filter(op))
		if err != nil {
			return hits, err
		}
		hits[i] = answer.rows
	}
	return hits, nil
}

// dropChanged drops the samples that were returned with another stamp: they changed
// meanwhile and show nothing.
func (s samples) dropChanged(rows []Row) {
	for _, r := range rows {
		for digit, sample := range s.byDigit {
			if sample.ID == r.ID && trimWall(sample.Opdateringsdato) != trimWall(r.Opdateringsdato) {
				delete(s.byDigit, digit)
			}
		}
	}
}

// control checks that the row asked for by its id alone was returned. Without it, a
// filter that omits rows would look like one without matches. One of the two answers is
// enough: the row may vanish in between.
func (p *prober) control(s samples, hits [2][]Row) {
	if s.control.ID == 0 {
		return
	}
	f := Finding{
		Name: "filter-gives", Verdict: VerdictOK, Seen: fmt.Sprintf("id eq %d of %s returns that row", s.control.ID, p.specimen),
		Means: "an empty page means that there are no rows",
	}
	if !hasRow(hits[0], s.control.ID) && !hasRow(hits[1], s.control.ID) {
		f.Verdict, f.Seen = VerdictTrouble, fmt.Sprintf("id eq %d of %s does not return that row", s.control.ID, p.specimen)
		f.Means = "a filter that leaves out matching rows hides changes: they would be missed"
		f.Remedy = "run it again, since the row may just have been deleted; if it stays, tell the source's owner"
		p.report.judge(p.specimen, fault(ErrNotHonoured, "id %d was requested and not returned", s.control.ID))
	}
	p.report.add(f)
}

func hasRow(rows []Row, id int64) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.ID == id })
}

// outcome is the result for a row asked for by its own stamp.
type outcome struct{ eq, gt bool }

// judgeComparison tells text from ticks by the results of eq and gt.
func (p *prober) judgeComparison(s samples, hits [2][]Row) Finding {
	expected := map[Comparison]map[byte]outcome{
		CompareText:  {'0': {eq: true}, '3': {eq: true}, '7': {eq: true}},
		CompareTicks: {'0': {eq: true}, '3': {gt: true}, '7': {}},
	}
	fits := map[Comparison]bool{CompareText: true, CompareTicks: true}
	var seen []string
	for _, digit := range []byte(lastDigits) {
		r, ok := s.byDigit[digit]
		if !ok {
			seen = append(seen, fmt.Sprintf("…%c: no row to ask for", digit))
			continue
		}
		got := outcome{eq: hasRow(hits[0], r.ID), gt: hasRow(hits[1], r.ID)}
		seen = append(seen, got.String(digit))
		for comparison, want := range expected {
			fits[comparison] = fits[comparison] && got == want[digit]
		}
	}
	return p.comparisonFinding(fits, strings.Join(seen, ", "))
}

// String returns the outcome in a few words: "…7: neither".
func (o outcome) String(digit byte) string {
	word := map[outcome]string{{}: "neither", {eq: true}: "eq", {gt: true}: "gt", {eq: true, gt: true}: "eq and gt"}[o]
	return fmt.Sprintf("…%c: %s", digit, word)
}

// comparisonFinding returns the finding for the comparisons that fit the answers.
func (p *prober) comparisonFinding(fits map[Comparison]bool, seen string) Finding {
	f := Finding{Name: "stamp-comparison", Verdict: VerdictOK, Means: "odastream asks from 10 ms earlier and drops the rows that it knows, which is correct for text and for ticks"}
	switch {
	case fits[CompareText] && fits[CompareTicks]:
		return comparisonUnknown("filtering by a row's own stamp gives " + seen)
	case fits[CompareText]:
		p.report.Comparison = CompareText
	case fits[CompareTicks]:
		p.report.Comparison = CompareTicks
	default:
		f.Verdict, f.Seen = VerdictTrouble, "filtering by a row's own stamp gives "+seen+": neither text nor ticks of 1/300 s"
		f.Means = "if stamps are compared in another zone or precision, the tail finds changes late or not at all; the scan still finds all of them"
		f.Remedy = "run it again, since a row may just have changed; if it stays, report this line to odastream's maintainers"
		return f
	}
	f.Seen = fmt.Sprintf("stamps are compared as %s: filtering by a row's own stamp gives %s", p.report.Comparison, seen)
	return f
}

// comparisonUnknown returns the finding for a comparison that is not known.
func comparisonUnknown(seen string) Finding {
	return Finding{
		Name: "stamp-comparison", Verdict: VerdictNote, Seen: seen,
		Means: "text and ticks could not be distinguished; odastream is correct with both",
	}
}
