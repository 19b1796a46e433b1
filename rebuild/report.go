package rebuild

import "odastream/cache"

// Keys are the keys with one verdict: how many, and the first of them.
type Keys struct {
	Count int     `json:"count"`
	IDs   []int64 `json:"ids"` // the first ten at most
}

// maxListed is the most ids that a Keys lists.
const maxListed = 10

func (k *Keys) add(id int64) {
	if k.Count++; len(k.IDs) < maxListed {
		k.IDs = append(k.IDs, id)
	}
}

// Report says what a rebuild found and did.
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
	Undeleted  Keys   `json:"undeleted"` // deletes that the cache had not stored
	Lost       Keys   `json:"lost"`      // rows of the cache that the topic must hold and does not: left as they are
	Mended     int    `json:"mended"`
	Refused    Keys   `json:"refused"`    // rows that Postgres refuses: their records are dead letters, or should be
	Pending    int64  `json:"pending"`    // keys with a change that the sink has not applied yet: left to the sink
	Unreadable int64  `json:"unreadable"` // keys for which the topic holds only unreadable records: left as they are
}

func newReport(entity, topic string, dry bool) Report {
	r := Report{Entity: entity, Topic: topic, DryRun: dry}
	for _, k := range []*Keys{&r.Missing, &r.Different, &r.Extra, &r.Undeleted, &r.Lost, &r.Refused} {
		k.IDs = []int64{} // [] in JSON, not null
	}
	return r
}

// Damage returns how many keys differed between cache and topic.
func (r *Report) Damage() int {
	return r.Missing.Count + r.Different.Count + r.Extra.Count + r.Undeleted.Count + r.Lost.Count
}

// add counts damaged keys, and whether they are repaired.
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
