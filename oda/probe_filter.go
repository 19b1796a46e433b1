package oda

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"odastream/schema"
)

const (
	// beyondIDs is the highest possible id: keys are Int32.
	beyondIDs = math.MaxInt32 - 1
	// beyondStamps is a stamp after that of every row: the last day of the source's
	// datetime.
	beyondStamps = "9999-12-31T00:00:00.000"
	// maxProbeRequests limits the requests of a probe that is not full, those that are asked
	// again apart, and maxNullRequests those for rows without a stamp.
	maxProbeRequests, maxNullRequests = 12, 3
	// unknownName is a field that no set has.
	unknownName = "odastreamprobe"
)

// tally is the result of one query of several sets.
type tally struct {
	asked       int      // sets that answered
	notHonoured []string // "Sag: why", for sets that did not honour it
	failed      []string // "Sag: why", for sets that did not answer
}

// finding returns the tally as one finding.
func (t tally) finding(name, query string) Finding {
	f := Finding{
		Name: name, Verdict: VerdictOK, Seen: fmt.Sprintf("%s returns no row, as it must (sets asked: %d)", query, t.asked),
		Means: "the source honours filters",
	}
	switch {
	case len(t.notHonoured) > 0:
		f.Verdict = VerdictTrouble
		f.Seen = fmt.Sprintf("%s returns rows: %s", query, strings.Join(t.notHonoured, "; "))
		f.Means = "without filters every row would look new: the pages are refused, and the entity waits"
		f.Remedy = "tell the source's owner that $filter is ignored; the entity continues by itself once it is honoured"
	case len(t.failed) > 0:
		f.Verdict, f.Seen, f.Means = VerdictTrouble, strings.Join(t.failed, "; "), "it could not be checked"
		f.Remedy = "run it again later; if it stays, the source cannot serve this set, and only its entity waits"
	case t.asked == 0:
		f.Verdict, f.Seen, f.Means = VerdictNote, "no set could be asked", "it could not be checked"
	}
	return f
}

// filters sends queries that must return no rows, by id as the scan does and by stamp
// as the tail does, to the specimen or to every set.
func (p *prober) filters(ctx context.Context) error {
	var byID, byStamp tally
	for _, set := range p.setsToFilter() {
		if err := p.askEmptyWindow(ctx, set, Window{IDs: schema.IDsAbove(beyondIDs)}, &byID); err != nil {
			return err
		}
		if err := p.askEmptyWindow(ctx, set, Window{IDs: schema.AllIDs(), After: beyondStamps}, &byStamp); err != nil {
			return err
		}
	}
	p.report.add(byID.finding("filter-by-id", "id above all"))
	p.report.add(byStamp.finding("filter-by-stamp", "opdateringsdato after all"))
	return nil
}

func (p *prober) setsToFilter() []string {
	switch {
	case p.report.Full:
		return p.sets
	case p.specimen == "":
		return nil
	}
	return []string{p.specimen}
}

// askEmptyWindow asks for a window without rows. The client's check returns an error for a row
// that does not belong there (Invariant 7). A row that does belong, stamped on the last
// possible day, is no fault.
func (p *prober) askEmptyWindow(ctx context.Context, set string, w Window, t *tally) error {
	_, err := p.page(ctx, set, w)
	if errors.Is(err, ErrNotHonoured) { // a fault of one answer is none of the service
		p.again++
		_, err = p.page(ctx, set, w)
	}
	switch {
	case err == nil:
		t.asked++
		if set == p.specimen { // other sets may have no rows at all
			p.report.judge(set, nil)
		}
	case errors.Is(err, ErrNotHonoured):
		t.asked++
		t.notHonoured = append(t.notHonoured, set+": "+cause(err))
		p.report.judge(set, err)
	case errors.Is(err, ErrNotFound):
	default:
		return p.recordFailure(set, err, t)
	}
	return nil
}

// recordFailure records a set's error, or returns it if it ends the probe.
func (p *prober) recordFailure(set string, err error, t *tally) error {
	if endsProbe(err) {
		return err
	}
	t.failed = append(t.failed, set+": "+cause(err))
	return nil
}

// cause returns an error's text without the address.
func cause(err error) string {
	f, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return err.Error()
	case f.Cause == nil:
		return f.Kind.Error()
	}
	return f.Cause.Error()
}

// unknownField filters by a field that no set has.
func (p *prober) unknownField(ctx context.Context) error {
	if p.specimen == "" {
		return nil
	}
	s, err := p.ask(ctx, p.specimen, "$filter="+unknownName+"%20eq%201&$orderby=id&$top=1")
	f := Finding{Name: "unknown-field", Verdict: VerdictOK, Seen: "400 for an unknown field", Means: "a renamed field is seen at once"}
	switch {
	case errors.Is(err, ErrBadQuery):
	case err != nil:
		return p.failed("unknown-field", err)
	case len(s.rows) > 0:
		f.Verdict, f.Seen = VerdictNote, "a filter by an unknown field is ignored: every row is returned"
		f.Means = "a renamed opdateringsdato would return all rows: pages are checked, so such an entity stops with an error"
	default:
		f.Verdict, f.Seen = VerdictNote, "a filter by an unknown field returns no row and no error"
		f.Means = "a renamed opdateringsdato would look as if nothing changed; each probe compares $metadata and names the new field"
	}
	p.report.add(f)
	return nil
}

// nulls looks for rows without a stamp, in the sets that may have some, or in all. A
// returned row with a stamp shows that the filter is ignored.
func (p *prober) nulls(ctx context.Context) error {
	var t tally
	for _, set := range p.setsToAskForNulls() {
		s, err := p.askForNulls(ctx, set)
		if _, stray := stamped(s.rows); stray { // a fault of one answer is none of the service
			p.again++
			s, err = p.askForNulls(ctx, set)
		}
		if err != nil {
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err := p.recordFailure(set, err, &t); err != nil {
				return err
			}
			continue
		}
		t.asked++
		p.judgeNulls(set, s, &t)
	}
	f := t.finding("null-stamps", "opdateringsdato eq null")
	switch {
	case f.Verdict == VerdictOK && len(p.report.NullStamps) > 0:
		f.Verdict, f.Seen = VerdictNote, "rows without a stamp in "+strings.Join(p.report.NullStamps, ", ")
		f.Means = "the tail cannot find them; the scan finds their changes, within SCAN_EVERY"
	case f.Verdict == VerdictOK:
		f.Means = "every row can be followed by its stamp"
	}
	p.report.add(f)
	return nil
}

// setsToAskForNulls returns the sets to ask for rows without a stamp: all of them, or, in a
// small probe, a limited number of those that may hold some, different ones each day.
func (p *prober) setsToAskForNulls() []string {
	if p.report.Full {
		return p.sets
	}
	sets := stampMayBeNull(p.declared, p.sets)
	room := min(len(sets), maxNullRequests, maxProbeRequests+p.again-p.report.Requests)
	if room <= 0 {
		return nil
	}
	first := p.report.At.YearDay() % len(sets)
	return slices.Concat(sets[first:], sets[:first])[:room]
}

func (p *prober) askForNulls(ctx context.Context, set string) (content, error) {
	return p.ask(ctx, set, "$filter=opdateringsdato%20eq%20null&$orderby=id&$top="+strconv.Itoa(schema.PageSize))
}

// stamped returns the first row that has a stamp.
func stamped(rows []Row) (Row, bool) {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Opdateringsdato != "" })
	if i < 0 {
		return Row{}, false
	}
	return rows[i], true
}

// judgeNulls judges a set's answer to the query for rows without a stamp.
func (p *prober) judgeNulls(set string, s content, t *tally) {
	if r, stray := stamped(s.rows); stray {
		detail := fault(ErrNotHonoured, "id %d is stamped %s, and null was requested", r.ID, r.Opdateringsdato)
		detail.Set, detail.Tries = set, 1
		t.notHonoured = append(t.notHonoured, set+": "+cause(detail))
		p.report.judge(set, detail)
		return
	}
	if len(s.rows) > 0 {
		p.report.NullStamps = append(p.report.NullStamps, set)
	}
}
