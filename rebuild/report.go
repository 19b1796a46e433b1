package rebuild

import "odastream/cache"

// Keys are the keys that got one verdict: how many, and the first of them.
type Keys struct {
	Count int     `json:"count"`
	IDs   []int64 `json:"ids"` // the first ten at most
}

// maxListed is how many ids a Keys names.
const maxListed = 10

func (k *Keys) add(id int64) {
	if k.Count++; len(k.IDs) < maxListed {
		k.IDs = append(k.IDs, id)
	}
}

// Report is what a rebuild found and did.
type Report struct {
	Entity     string `json:"entity"`
	Topic      string `json:"topic"`
	DryRun     bool   `json:"dryRun"`
	Records    int64  `json:"records"` // read from the topic
	InTopic    int64  `json:"inTopic"` // rows that the topic has
	InCache    int64  `json:"inCache"` // rows that the cache had
	Missing    Keys   `json:"missing"`
	Different  Keys   `json:"different"`
	Extra      Keys   `json:"extra"`
	Undeleted  Keys   `json:"undeleted"` // deletes that the cache did not remember
	Mended     int    `json:"mended"`
	Refused    Keys   `json:"refused"`    // rows that Postgres does not take: their records are dead letters, or ought to be
	Pending    int64  `json:"pending"`    // keys with a change that the sink has not applied yet: left to it
	Unreadable int64  `json:"unreadable"` // keys of which the topic holds only what cannot be read: left alone
}

func newReport(entity, topic string, dry bool) Report {
	r := Report{Entity: entity, Topic: topic, DryRun: dry}
	for _, k := range []*Keys{&r.Missing, &r.Different, &r.Extra, &r.Undeleted, &r.Refused} {
		k.IDs = []int64{} // [] in JSON, not null
	}
	return r
}

// Damage is how many keys were not in the cache as they are in the topic.
func (r *Report) Damage() int {
	return r.Missing.Count + r.Different.Count + r.Extra.Count + r.Undeleted.Count
}

// add counts damaged keys, and whether they are mended.
func (r *Report) add(damaged []cache.Damage, mended bool) {
	keys := map[cache.Verdict]*Keys{
		cache.Missing: &r.Missing, cache.Different: &r.Different, cache.Extra: &r.Extra, cache.Undeleted: &r.Undeleted,
	}
	for _, d := range damaged {
		keys[d.Verdict].add(d.ID)
	}
	if mended {
		r.Mended += len(damaged)
	}
}
