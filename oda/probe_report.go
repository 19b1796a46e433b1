package oda

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Verdict is what a Finding comes to.
type Verdict string

// The verdicts, from good to bad.
const (
	// VerdictOK: as believed.
	VerdictOK Verdict = "ok"
	// VerdictNote: new, unusual, or not to be told this time. Nothing is lost
	// by it and nobody has to act.
	VerdictNote Verdict = "note"
	// VerdictTrouble: the source breaks what the copy rests on. Finding.Remedy
	// says what to do.
	VerdictTrouble Verdict = "trouble"
)

// Finding is one thing that a probe looked at.
type Finding struct {
	// Name says what was looked at; the same in every report: "page-cap".
	Name string `json:"name"`
	// Verdict is ok, note or trouble.
	Verdict Verdict `json:"verdict"`
	// Seen is what the source did, in words.
	Seen string `json:"seen"`
	// Means is what follows from it for the copy.
	Means string `json:"means"`
	// Remedy is what a person should do; never empty with VerdictTrouble.
	Remedy string `json:"remedy,omitempty"`
}

// Comparison is how the source compares a stamp with a literal of a filter.
type Comparison string

// The comparisons that are known. The zero value: it could not be told.
const (
	// CompareText: as it is written, in milliseconds. A row equals its own stamp.
	CompareText Comparison = "text"
	// CompareTicks: in ticks of 1/300 s against the exact literal. A stamp that
	// ends in 3 lies after its own text, one that ends in 7 before it.
	CompareTicks Comparison = "ticks"
)

// Report is what a probe found. It marshals to JSON; what Honoured answers from
// does not travel with it.
type Report struct {
	// Source is the base address, without a user and a password.
	Source string `json:"source"`
	// At is our clock at the beginning, UTC.
	At time.Time `json:"at"`
	// Full tells whether every set was asked.
	Full bool `json:"full"`
	// Requests is the number of questions; tries of one are not counted.
	Requests int `json:"requests"`
	// Findings are in the order of the questions.
	Findings []Finding `json:"findings"`
	// Fingerprint is that of the source's $metadata, "" if it was not read.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Drift is how the source's $metadata differs from package schema.
	Drift
	// PageCap is the most rows seen on a page that was asked for more; 0 if no
	// set with as many rows was seen.
	PageCap int `json:"page_cap,omitempty"`
	// Comparison is how stamps are compared; "" if it could not be told.
	Comparison Comparison `json:"comparison,omitempty"`
	// SkewLow and SkewHigh bound the source's clock less ours; both 0 if no
	// answer had a Date.
	SkewLow  time.Duration `json:"skew_low_ns,omitempty"`
	SkewHigh time.Duration `json:"skew_high_ns,omitempty"`
	// Absent are the sets that answered 404, of those that were asked.
	Absent []string `json:"absent_sets,omitempty"`
	// NullStamps are the sets that hold rows without a stamp, of those asked.
	// Such rows are invisible to the tail and left to the scan.
	NullStamps []string `json:"null_stamp_sets,omitempty"`

	asked map[string]error // by set of which it is known: nil, or why its filter is not honoured
}

// Trouble tells whether any finding is trouble.
func (r *Report) Trouble() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Verdict == VerdictTrouble })
}

// Honoured gives nil where nothing speaks against the filter of set, else an
// error that matches ErrNotHonoured and says why. A set that was not asked
// itself, or was empty, is judged by the others, if two or more were asked and
// none of them honoured its filter: then it is the service, and not a set, that is broken.
func (r *Report) Honoured(set string) error {
	if err, known := r.asked[set]; known {
		return err
	}
	if len(r.asked) < 2 {
		return nil
	}
	sets := slices.Sorted(maps.Keys(r.asked))
	for _, other := range sets {
		if r.asked[other] == nil {
			return nil
		}
	}
	return fmt.Errorf("read %s: %w: no set that was asked honours its filter, such as %s", set, ErrNotHonoured, sets[0])
}

// judge files what an answer says of a set's filter. What was once seen broken
// stays broken.
func (r *Report) judge(set string, err error) {
	if r.asked[set] == nil {
		r.asked[set] = err
	}
}

// add files a finding.
func (r *Report) add(f Finding) { r.Findings = append(r.Findings, f) }
