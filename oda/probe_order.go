package oda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"odastream/schema"
)

// maxSpecimens limits how many sets are tried to find one with rows.
const maxSpecimens = 4

// specimens returns the sets to try. First come those with enough rows to show a page's
// limit and few enough for the source to sort them by stamp in time.
func specimens(sets []string) []string {
	var out []string
	for _, set := range []string{"Sag", "Afstemning", "Aktør", "Stemme"} {
		if slices.Contains(sets, set) {
			out = append(out, set)
		}
	}
	for _, set := range sets {
		if !slices.Contains(out, set) {
			out = append(out, set)
		}
	}
	return out[:min(len(out), maxSpecimens)]
}

// chooseSpecimen finds a set with rows and judges a page that was asked for with a thousand
// rows, those with the highest ids.
func (p *prober) chooseSpecimen(ctx context.Context) error {
	var tried []string
	for _, set := range specimens(p.sets) {
		s, err := p.ask(ctx, set, "$orderby=id%20desc&$top=1000&$inlinecount=allpages")
		if err != nil && !errors.Is(err, ErrNotFound) {
			if err := p.failed("page-cap", err); err != nil {
				return err
			}
		}
		if len(s.rows) > 0 {
			p.specimen, p.newest = set, s
			p.report.add(p.pageCap())
			p.report.add(p.orderByID())
			return nil
		}
		tried = append(tried, set)
	}
	p.report.add(Finding{
		Name: "specimen", Verdict: VerdictNote, Seen: "no rows in " + strings.Join(tried, ", "),
		Means: "order, page cap and stamps could not be checked",
	})
	return nil
}

// pageCap judges how many of the thousand rows were returned.
func (p *prober) pageCap() Finding {
	n, count := len(p.newest.rows), p.newest.count
	f := Finding{Name: "page-cap", Verdict: VerdictOK, Seen: fmt.Sprintf("%d rows of %s for $top=1000", n, p.specimen), Means: "pages are as large as expected"}
	if count < 0 {
		f.Verdict, f.Seen, f.Means = VerdictNote, f.Seen+", and no count of all", "only an empty page ends a window, so nothing depends on it"
		return f
	}
	if int64(n) >= count {
		f.Verdict, f.Means = VerdictNote, "the set is too small to show how large a page can be"
		return f
	}
	p.report.PageCap = n
	if n != schema.PageSize {
		f.Verdict, f.Means = VerdictNote, fmt.Sprintf("a page is not %d rows: only the number of requests changes", schema.PageSize)
	}
	return f
}

// orderByID judges the order of the page; its ids must descend.
func (p *prober) orderByID() Finding {
	f := Finding{Name: "order-by-id", Verdict: VerdictOK, Seen: "ids of " + p.specimen + " fall as requested", Means: "paging by id is safe"}
	for i, r := range p.newest.rows[1:] {
		if before := p.newest.rows[i].ID; r.ID >= before {
			f.Verdict = VerdictTrouble
			f.Seen = fmt.Sprintf("$orderby=id desc of %s returns %d after %d", p.specimen, r.ID, before)
			f.Means = "paging by id would lose rows: pages out of order are refused, and the entity waits"
			f.Remedy = "tell the source's owner that $orderby is not honoured; the entities continue by themselves once it is"
			break
		}
	}
	return f
}

// order judges a small page that was asked for by stamp and id.
func (p *prober) order(ctx context.Context) error {
	if p.specimen == "" {
		return nil
	}
	s, err := p.ask(ctx, p.specimen, fmt.Sprintf("$orderby=opdateringsdato,id&$top=%d", schema.PageSize))
	if err != nil {
		return p.failed("order-on-ties", err)
	}
	p.oldest = s
	top := Finding{Name: "top", Verdict: VerdictOK, Seen: fmt.Sprintf("%d rows for $top=%d", len(s.rows), schema.PageSize), Means: "the size of a page can be requested"}
	if len(s.rows) > schema.PageSize {
		top.Verdict, top.Means = VerdictNote, "$top is ignored: pages are larger than requested, and still read"
	}
	p.report.add(top)
	p.report.add(orderOnTies(p.specimen, s.rows))
	if !p.report.Full {
		return nil
	}
	return p.withoutTop(ctx)
}

// orderOnTies judges the order of rows that were asked for by stamp, then id. Nothing
// depends on it: pages are read by id.
func orderOnTies(set string, rows []Row) Finding {
	f := Finding{Name: "order-on-ties", Verdict: VerdictOK, Means: "for information: pages are asked for by id alone"}
	ties := 0
	for i := 1; i < len(rows); i++ {
		before, after := trimWall(rows[i-1].Opdateringsdato), trimWall(rows[i].Opdateringsdato)
		switch {
		case after < before, after == before && rows[i].ID <= rows[i-1].ID:
			f.Verdict = VerdictNote
			f.Seen = fmt.Sprintf("%s: id %d of %q comes after id %d of %q", set, rows[i].ID, after, rows[i-1].ID, before)
			return f
		case after == before:
			ties++
		}
	}
	f.Seen = fmt.Sprintf("%d ties among %d rows of %s, all by id", ties, len(rows), set)
	if ties == 0 {
		f.Verdict, f.Seen = VerdictNote, fmt.Sprintf("%d rows of %s by stamp, no tie among them", len(rows), set)
	}
	return f
}

// withoutTop judges a page that was asked for without $top.
func (p *prober) withoutTop(ctx context.Context) error {
	s, err := p.ask(ctx, p.specimen, "$orderby=id")
	if err != nil {
		return p.failed("page-without-top", err)
	}
	p.report.add(Finding{
		Name: "page-without-top", Verdict: VerdictOK, Seen: fmt.Sprintf("%d rows of %s without $top", len(s.rows), p.specimen),
		Means: "for information: $top is always given",
	})
	return nil
}
