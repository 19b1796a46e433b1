package cli

import (
	"flag"
	"time"

	"odastream/cache"
)

// letterChoice is the command line of what is done to dead letters: which ones, and
// whether only to say so.
type letterChoice struct {
	letterFlags
	since, at string
	dry       bool
}

func (f *letterChoice) declare(set *flag.FlagSet) {
	f.letterFlags.declare(set)
	f.declareFilter(set)
	set.StringVar(&f.since, "since", "", "only those that failed since this `time`: 24h, or 2026-11-23T15:00:00Z")
	set.StringVar(&f.at, "letter", "", "only this `TOPIC/PARTITION@OFFSET`")
	set.BoolVar(&f.dry, "dry-run", false, "say what would be done, and do nothing")
}

// choice is what the flags select, in one of the states; none: in any.
func (f *letterChoice) choice(states ...cache.LetterState) (cache.LetterFilter, error) {
	filter, err := f.filter(states...)
	if err != nil {
		return filter, err
	}
	if filter.Since, err = parseSince("since", f.since, time.Now()); err != nil {
		return filter, err
	}
	if f.at != "" {
		where, err := parseLetter(f.at)
		if err != nil {
			return filter, err
		}
		filter.At = &where
	}
	return filter, nil
}
