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

// gather takes one row for each digit, the oldest stamps first: those rows are the
// least likely to change meanwhile.
func gather(rows []Row) samples {
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

// stray returns a row that was not asked for.
func (s samples) stray(rows []Row) (Row, bool) {
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
	s := gather(slices.Concat(p.oldest.rows, p.newest.rows))
	if len(s.byDigit) == 0 {
		p.report.add(untold("no row of " + p.specimen + " has a stamp of three decimals or fewer"))
		return nil
	}
	var hits [2][]Row
	for i, op := range []string{"eq", "gt"} {
		answer, err := p.ask(ctx, p.specimen, s.filter(op))
		if err != nil {
			return p.failed("stamp-comparison", err)
		}
		hits[i] = answer.rows
	}
	if r, strange := s.stray(slices.Concat(hits[0], hits[1])); strange {
		p.report.judge(p.specimen, fault(ErrNotHonoured, "id %d was not asked for", r.ID))
		p.report.add(untold(fmt.Sprintf("a filter by id and stamp gives id %d, which was not asked for", r.ID)))
		return nil
	}
	p.control(s, hits)
	s.forget(slices.Concat(hits[0], hits[1]))
	p.report.add(p.comparison(s, hits))
	return nil
}

// forget drops the samples that were returned with another stamp: they changed
// meanwhile and show nothing.
func (s samples) forget(rows []Row) {
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
		Name: "filter-gives", Verdict: VerdictOK, Seen: fmt.Sprintf("id eq %d of %s gives that row", s.control.ID, p.specimen),
		Means: "an empty page means that there is nothing",
	}
	if !holds(hits[0], s.control.ID) && !holds(hits[1], s.control.ID) {
		f.Verdict, f.Seen = VerdictTrouble, fmt.Sprintf("id eq %d of %s does not give that row", s.control.ID, p.specimen)
		f.Means = "a filter that leaves out what it must give looks like rest: changes would be missed"
		f.Remedy = "run it again, since the row may just have gone; if it stays, tell the source's owner"
		p.report.judge(p.specimen, fault(ErrNotHonoured, "id %d was asked for and did not come", s.control.ID))
	}
	p.report.add(f)
}

func holds(rows []Row, id int64) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.ID == id })
}

// outcome is the result for a row asked for by its own stamp.
type outcome struct{ eq, gt bool }

// comparison tells text from ticks by the results of eq and gt.
func (p *prober) comparison(s samples, hits [2][]Row) Finding {
	worlds := map[Comparison]map[byte]outcome{
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
		got := outcome{eq: holds(hits[0], r.ID), gt: holds(hits[1], r.ID)}
		seen = append(seen, got.String(digit))
		for world, want := range worlds {
			fits[world] = fits[world] && got == want[digit]
		}
	}
	return p.compared(fits, strings.Join(seen, ", "))
}

// String returns the outcome in a few words: "…7: neither".
func (o outcome) String(digit byte) string {
	word := map[outcome]string{{}: "neither", {eq: true}: "eq", {gt: true}: "gt", {eq: true, gt: true}: "eq and gt"}[o]
	return fmt.Sprintf("…%c: %s", digit, word)
}

// compared returns the finding for the comparisons that fit the answers.
func (p *prober) compared(fits map[Comparison]bool, seen string) Finding {
	f := Finding{Name: "stamp-comparison", Verdict: VerdictOK, Means: "odastream asks from 10 ms earlier and drops what it knows, which is right for text and for ticks"}
	switch {
	case fits[CompareText] && fits[CompareTicks]:
		return untold("a row's own stamp gives " + seen)
	case fits[CompareText]:
		p.report.Comparison = CompareText
	case fits[CompareTicks]:
		p.report.Comparison = CompareTicks
	default:
		f.Verdict, f.Seen = VerdictTrouble, "a row's own stamp gives "+seen+": neither text nor ticks of 1/300 s"
		f.Means = "if stamps are compared in another zone or precision, the tail finds changes late or not; the scan still finds all of them"
		f.Remedy = "run it again, since a row may just have changed; if it stays, tell odastream's maintainers, with this line"
		return f
	}
	f.Seen = fmt.Sprintf("stamps are compared as %s: a row's own stamp gives %s", p.report.Comparison, seen)
	return f
}

// untold returns the finding for a comparison that is not known.
func untold(seen string) Finding {
	return Finding{
		Name: "stamp-comparison", Verdict: VerdictNote, Seen: seen,
		Means: "text or ticks could not be told; odastream is right with both",
	}
}
