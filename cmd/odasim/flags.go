package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"odastream/odasim"
	"odastream/schema"
)

// flags are the command line.
type flags struct {
	addr    string
	load    string
	seed    uint64
	scale   float64
	live    bool
	pace    time.Duration
	late    time.Duration
	now     string
	compare string
	hostile bool
	options odasim.Options
	faults  odasim.Faults
}

// parseFlags reads the command line. Bad values are one error with a line for each.
func parseFlags(args []string, stdout io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("odasim", flag.ContinueOnError)
	set.SetOutput(io.Discard) // faults are reported in the error
	f.declareServer(set)
	f.faults.Flags(set)
	set.Usage = func() {}
	if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, "odasim serves a simulated parliament: the open data of oda.ft.dk, from captures or from a seed.\n\n"+
			"  odasim                          serve a small parliament on http://127.0.0.1:8380/api\n"+
			"  odasim -live -pace 200ms        serve one that changes five times a second\n"+
			"  odasim -load captures/2019-03   serve rows from gzipped NDJSON files, one for each set\n\nFlags:\n")
		set.SetOutput(stdout)
		set.PrintDefaults()
		return f, err
	} else if err != nil {
		return f, err
	}
	f.options.Compare = odasim.Compare(f.compare)
	return f, f.check(set.Args())
}

// declareServer declares the flags for the parliament's content and answers.
func (f *flags) declareServer(set *flag.FlagSet) {
	set.StringVar(&f.addr, "addr", "127.0.0.1:8380", "`host:port` to listen on; port 0 takes any")
	set.StringVar(&f.load, "load", "", "`folder` of captures (aktoer.ndjson.gz, …) to serve instead of generated rows")
	set.Uint64Var(&f.seed, "seed", 1, "seed of the generated rows, of the events with -live and of the faults")
	set.Float64Var(&f.scale, "scale", 1, "size of the generated parliament; 1 is about 20,000 rows, 0 none")
	set.BoolVar(&f.live, "live", false, "change rows all the time: cases move, votes happen, documents arrive")
	set.DurationVar(&f.pace, "pace", time.Second, "time between two events, with -live")
	set.DurationVar(&f.late, "late", 0, "how long after its stamp a late row is served, with -live; 0: no row is late")
	set.StringVar(&f.now, "now", "", "time of the clock at the start, as `RFC 3339`; empty: the real time")
	set.IntVar(&f.options.PageCap, "page-cap", schema.PageSize, "rows in a page; the service had 20 in 2016")
	set.StringVar(&f.compare, "compare", string(odasim.CompareTicks), "how stamps are compared: ticks (1/300 s, as SQL Server) or text")
	set.StringVar(&f.options.PublicURL, "public-url", "", "`address` in odata.metadata and odata.nextLink; empty: the one that the client used")
	set.BoolVar(&f.options.EmptyMissing, "empty-missing", false, "answer 404 for a set without rows, instead of an empty page")
	set.BoolVar(&f.options.IgnoreUnknownFields, "ignore-unknown-fields", false, "answer all rows with 200 to a filter on an unknown field, instead of 400")
	set.BoolVar(&f.options.EscapeUnicode, "escape-unicode", false, `serve æ as \u00e6`)
	set.BoolVar(&f.options.Gzip, "gzip", false, "compress answers for clients that accept gzip")
	set.BoolVar(&f.options.AtomDefault, "atom-default", false, "Atom for clients that name no format")
	set.BoolVar(&f.hostile, "hostile", false, "add rows to each set that hardly any program is prepared for")
	set.DurationVar(&f.options.Lag, "lag", 0, "how far a second node is behind, which answers by -lag-rate; 0: there is none")
	set.BoolVar(&f.options.NoDate, "no-date", false, "leave out the Date header")
}

// check returns an error that names all values that are out of range.
func (f *flags) check(rest []string) error {
	f.faults.Seed = f.seed
	bad := []error{f.options.Validate(), f.faults.Validate()}
	if len(rest) > 0 {
		bad = append(bad, fmt.Errorf("unexpected argument %q", rest[0]))
	}
	if !(f.scale >= 0 && f.scale <= 1000) {
		bad = append(bad, fmt.Errorf("scale is %g, want 0 to 1000", f.scale))
	}
	if f.pace <= 0 {
		bad = append(bad, fmt.Errorf("pace is %s, want above 0s", f.pace))
	}
	if f.late < 0 {
		bad = append(bad, fmt.Errorf("late is %s, want 0s or more", f.late))
	}
	if _, err := time.Parse(time.RFC3339, f.now); f.now != "" && err != nil {
		bad = append(bad, fmt.Errorf("now is %q, want a time such as 2026-11-23T16:00:00+01:00", f.now))
	}
	return errors.Join(bad...)
}

// parliament returns the parliament that the flags describe.
func (f *flags) parliament() (*odasim.Server, error) {
	sim := odasim.New(f.options)
	if f.now != "" {
		now, err := time.Parse(time.RFC3339, f.now)
		if err != nil {
			return nil, err
		}
		sim.SetNow(now)
	}
	if f.load != "" {
		if err := sim.Load(f.load); err != nil {
			return nil, err
		}
	} else {
		sim.Generate(f.seed, f.scale)
	}
	if f.hostile {
		if err := addHostile(sim); err != nil {
			return nil, err
		}
	}
	sim.SetFaults(f.faults)
	return sim, nil
}

// addHostile adds hostile rows to each set, above the ids of generated ones.
func addHostile(sim *odasim.Server) error {
	const firstID = 2_000_000_000
	for _, e := range schema.Entities() {
		for _, row := range odasim.HostileRows(firstID, odasim.Stamp(sim.Now())) {
			if err := sim.Put(e.Name, row); err != nil {
				return err
			}
		}
	}
	return nil
}
