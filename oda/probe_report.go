package oda

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Verdict is the result of a Finding.
type Verdict string

// The verdicts, from good to bad.
const (
	// VerdictOK: as believed.
	VerdictOK Verdict = "ok"
	// VerdictNote: new, unusual, or not known this time. Nothing is lost and nobody has
	// to act.
	VerdictNote Verdict = "note"
	// VerdictTrouble: the source breaks what the copy depends on. Finding.Remedy says
	// what to do.
	VerdictTrouble Verdict = "trouble"
)

// Finding is one thing that a probe checked.
type Finding struct {
	// Name says what was checked. It is the same in every report: "page-cap".
	Name string `json:"name"`
	// Verdict is ok, note or trouble.
	Verdict Verdict `json:"verdict"`
	// Seen is what the source did, in words.
	Seen string `json:"seen"`
	// Means is the consequence for the copy.
	Means string `json:"means"`
	// Remedy is what a person should do; never empty with VerdictTrouble.
	Remedy string `json:"remedy,omitempty"`
}

// Comparison is how the source compares a stamp with a literal of a filter.
type Comparison string

// The known comparisons. The zero value means not known.
const (
	// CompareText compares texts of milliseconds: a row's stamp equals its own literal.
	CompareText Comparison = "text"
	// CompareTicks: in ticks of 1/300 s against the exact literal. A stamp that ends in
	// 3 is after its own text, one that ends in 7 is before it.
	CompareTicks Comparison = "ticks"
)

// Report is what a probe found. It marshals to JSON, without what Honoured needs.
type Report struct {
	// Source is the base address, without a user and a password.
	Source string `json:"source"`
	// At is the time of the beginning by our clock, UTC.
	At time.Time `json:"at"`
	// Full reports whether every set was asked.
	Full bool `json:"full"`
	// Requests is the number of requests; retries are not counted.
	Requests int `json:"requests"`
	// Findings are in the order of the requests.
	Findings []Finding `json:"findings"`
	// Fingerprint is the fingerprint of the source's $metadata, "" if it was not read.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Drift is how the source's $metadata differs from package schema.
	Drift
	// PageCap is the most rows seen on a page that was asked for with more; 0 if no set
	// with enough rows was seen.
	PageCap int `json:"page_cap,omitempty"`
	// Comparison is how stamps are compared; "" if not known.
	Comparison Comparison `json:"comparison,omitempty"`
	// SkewLow and SkewHigh bound the source's clock minus ours. Both are 0 if no answer
	// had a Date.
	SkewLow  time.Duration `json:"skew_low_ns,omitempty"`
	SkewHigh time.Duration `json:"skew_high_ns,omitempty"`
	// Absent are the asked sets that answered 404.
	Absent []string `json:"absent_sets,omitempty"`
	// NullStamps are the asked sets that hold rows without a stamp. The tail cannot see
	// such rows; only the scan finds them.
	NullStamps []string `json:"null_stamp_sets,omitempty"`

	asked map[string]error // by set, where known: nil, or why its filter is not honoured
}

// Trouble reports whether any finding is trouble.
func (r *Report) Trouble() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Verdict == VerdictTrouble })
}

// Honoured returns nil if no answer showed that set's filter is ignored, else an error
// that matches ErrNotHonoured and says why. A set that was not asked, or was empty, is
// judged by the others: if two or more were asked and none honoured its filter, the
// whole service is at fault.
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

// judge records what an answer shows about a set's filter. A filter seen broken once
// stays broken.
func (r *Report) judge(set string, err error) {
	if r.asked[set] == nil {
		r.asked[set] = err
	}
}

// add adds a finding.
func (r *Report) add(f Finding) { r.Findings = append(r.Findings, f) }
