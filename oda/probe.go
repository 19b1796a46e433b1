package oda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Probe sends about ten small requests in the tail's lane and reports whether the
// source behaves as the copy needs. It looks at one set with rows, at $metadata, and at
// the sets whose stamps may be null. sets are the sets that are copied; nil means all
// but the subsets of Sag.
//
// Faults of the source are findings, not errors. An error means that the source cannot
// be reached or that ctx ended; the Report then holds the findings so far.
func (c *Client) Probe(ctx context.Context, sets []string) (Report, error) {
	return c.probe(ctx, sets, false)
}

// ProbeFull is Probe with three more requests for each set: whether it answers 404,
// whether it holds rows without a stamp, and whether it honours a filter. At the usual
// 5 requests a second all sets take half a minute.
func (c *Client) ProbeFull(ctx context.Context, sets []string) (Report, error) {
	return c.probe(ctx, sets, true)
}

func (c *Client) probe(ctx context.Context, sets []string, full bool) (Report, error) {
	if sets == nil {
		sets = defaultSets()
	}
	p := prober{client: c, sets: sets, report: Report{
		Source: strings.TrimSuffix(public(c.base), "/"), At: time.Now().UTC(), Full: full, asked: map[string]error{},
	}}
	err := p.run(ctx)
	if err != nil {
		err = fmt.Errorf("probe the source: %w", err)
	}
	return p.report, err
}

// prober is a running probe.
type prober struct {
	client *Client
	sets   []string
	report Report
	clock  clockSpan

	declared []Set   // by $metadata; nil if it could not be read
	again    int     // requests that were sent again, since an answer was not what was asked for
	specimen string  // a set with rows; "" if none was found
	newest   content // its rows with the highest ids
	oldest   content // its rows with the lowest stamps
}

// run sends all requests. It returns an error that ends the probe.
func (p *prober) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		p.readMetadata, p.chooseSpecimen, p.order, p.stamps, p.filters, p.unknownField, p.nulls,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if p.clock.known {
		p.report.SkewLow, p.report.SkewHigh = p.clock.low, p.clock.high
	}
	p.report.add(p.clock.finding())
	p.report.add(p.absentSets())
	return nil
}

// ask sends a query about a set. The rows are not checked against a window, since they
// are what the probe judges.
func (p *prober) ask(ctx context.Context, set, query string) (content, error) {
	var s content
	p.report.Requests++
	err := p.client.ask(ctx, p.client.setRequest(set, query, Tail, func(r reply) error {
		p.clock.observe(r.date, r.sent, r.received)
		var err error
		s, err = p.client.split(set, r.body, nil)
		return err
	}))
	p.recordAbsent(set, err)
	return s, err
}

// page reads a page as the tail and the scan do.
func (p *prober) page(ctx context.Context, set string, w Window) (Page, error) {
	p.report.Requests++
	page, err := p.client.Page(ctx, set, w, Tail)
	if err == nil {
		p.clock.observe(page.Date, page.Sent, page.Received)
	}
	p.recordAbsent(set, err)
	return page, err
}

// recordAbsent records a set that answers 404.
func (p *prober) recordAbsent(set string, err error) {
	if errors.Is(err, ErrNotFound) && !slices.Contains(p.report.Absent, set) {
		p.report.Absent = append(p.report.Absent, set)
	}
}

// readMetadata reads $metadata.
func (p *prober) readMetadata(ctx context.Context) error {
	var doc []byte
	p.report.Requests++
	err := p.client.ask(ctx, p.client.metadataRequest(func(r reply) error {
		p.clock.observe(r.date, r.sent, r.received)
		doc = r.body
		return checkMetadata(doc)
	}))
	if errors.Is(err, ErrTimeout) {
		return err // every other request is heavier and would wait as long
	}
	if err == nil {
		p.declared, err = ParseMetadata(doc)
	}
	if err != nil {
		return p.failed("metadata", err)
	}
	drift := DriftOf(p.declared)
	p.report.Fingerprint, p.report.Drift = Fingerprint(p.declared), drift
	f := Finding{
		Name: "metadata", Verdict: VerdictOK, Means: "the schema is the one that this version was made for",
		Seen: fmt.Sprintf("%d sets, fingerprint %s", len(p.declared), p.report.Fingerprint),
	}
	if known := Fingerprint(knownSets()); p.report.Fingerprint != known {
		f.Verdict, f.Seen, f.Means = VerdictNote, f.Seen+", known is "+known, "the schema has changed; the findings below name the differences"
	}
	p.report.add(f)
	p.report.Findings = append(p.report.Findings, drift.findings(p.sets)...)
	return nil
}

// failed records a request that failed, or returns the error if it ends the probe
// because every further request would fail too.
func (p *prober) failed(name string, err error) error {
	if endsProbe(err) {
		return err
	}
	p.report.add(Finding{
		Name: name, Verdict: VerdictTrouble, Seen: err.Error(),
		Means: "it could not be checked", Remedy: remedy(err),
	})
	return nil
}

// endsProbe reports whether err ends a probe.
func endsProbe(err error) bool {
	return isEnd(err) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrRedirected) || errors.Is(err, ErrOpen)
}

// remedy says what a person can do about a request's error.
func remedy(err error) string {
	switch {
	case errors.Is(err, ErrRefused):
		return "ask the source's owner why it refuses us; set ODA_CONTACT, so that they know whom to write to"
	case errors.Is(err, ErrNotOData):
		return "check what answers at ODA_URL: a proxy, a maintenance page or another service"
	case errors.Is(err, ErrServer), errors.Is(err, ErrTimeout), errors.Is(err, ErrTruncated):
		return "run it again later; if it stays, the source is out of order, and the poller catches up once it answers"
	}
	return "the source has changed its interface: report this line to odastream's maintainers"
}

// absentSets reports which of the sets asked do not exist.
func (p *prober) absentSets() Finding {
	f := Finding{Name: "absent-sets", Verdict: VerdictOK, Seen: "no set that was asked answers 404", Means: "all entity sets that are followed exist"}
	if len(p.report.Absent) > 0 {
		f.Verdict, f.Seen = VerdictNote, strings.Join(p.report.Absent, ", ")+" answers 404"
		f.Means = "not read until the source has the set (again); none of its rows is deleted"
	}
	return f
}
