package verify

import (
	"fmt"
	"strings"
	"time"
)

// Report is what a verification found. It is encoded as JSON for programs.
type Report struct {
	AsOf     time.Time `json:"asOf"` // when it began, UTC; later changes are no differences
	Seconds  float64   `json:"seconds"`
	OK       bool      `json:"ok"` // no difference and no trouble anywhere
	Sentence string    `json:"sentence"`
	Full     bool      `json:"full"` // every row was compared by content
	// ConsistentThrough is the earliest of all entities: no change of the source before
	// it is outstanding. Nil while it is not known for one of them.
	ConsistentThrough *time.Time `json:"consistentThrough"`
	Entities          []Entity   `json:"entities"` // in load order
}

// Entity is the result for one entity set.
type Entity struct {
	Name   string `json:"entity"`
	Source int64  `json:"source"` // rows at the source, by its own count or as read
	Ledger int64  `json:"ledger"` // live rows of the ledger
	Topic  *int64 `json:"topic"`  // rows that the topic holds; nil: not counted
	Cache  int64  `json:"cache"`  // rows of parliamentary_data that have not expired

	Deleted     int64 `json:"deleted"`     // rows of parliamentary_deleted that did not expire
	Expired     int64 `json:"expired"`     // removed, or to be removed, by CACHE_TTL
	DeadLetters int64 `json:"deadLetters"` // open ones

	Whole     bool  `json:"whole"`     // every row was compared by content
	Compared  int64 `json:"compared"`  // rows whose content was compared
	Rejected  int64 `json:"rejected"`  // elements of the source that are no rows: the poller dead-letters them
	Missing   int   `json:"missing"`   // at the source, and not in the ledger or not in the cache; or in the ledger, and not in the topic
	Extra     int   `json:"extra"`     // not at the source
	Different int   `json:"different"` // with other content than at the source
	Moving    int   `json:"moving"`    // changed since AsOf and not yet in all places: no difference
	// AtLeast: there are too many differences to read all of them again.
	AtLeast bool `json:"atLeast,omitempty"`

	Watermark         *time.Time `json:"watermark"`
	LoadedAt          *time.Time `json:"loadedAt"`
	ConsistentThrough *time.Time `json:"consistentThrough"`

	Absent      bool         `json:"absent,omitempty"`  // the source has never had the set: no fault
	Trouble     string       `json:"trouble,omitempty"` // why it could not be verified
	Differences []Difference `json:"differences,omitempty"`
}

// Finding is what is wrong with a row in one place. The zero value means nothing.
type Finding string

// The findings.
const (
	Missing   Finding = "missing"   // at the source, not here
	Extra     Finding = "extra"     // here, not at the source
	Different Finding = "different" // here with other content
)

// Difference is one row that differs.
type Difference struct {
	ID     int64   `json:"id"`
	Ledger Finding `json:"ledger,omitempty"`
	Topic  Finding `json:"topic,omitempty"` // Missing: the ledger says that the topic holds the row
	Cache  Finding `json:"cache,omitempty"`
	Dirty  bool    `json:"dirty,omitempty"` // the ledger itself marks the row to be published again
}

// kind returns what the row counts as: the worse of its findings.
func (d Difference) kind() Finding {
	for _, k := range []Finding{Missing, Extra, Different} {
		if d.Ledger == k || d.Cache == k || d.Topic == k {
			return k
		}
	}
	return ""
}

// String returns the difference in words: "missing in the ledger and in the cache".
func (d Difference) String() string {
	if d.Topic != "" {
		return string(d.Topic) + " in the topic"
	}
	if d.Ledger == d.Cache {
		return string(d.Ledger) + " in the ledger and in the cache"
	}
	var parts []string
	if d.Dirty {
		parts = append(parts, "marked in the ledger to be published again")
	} else if d.Ledger != "" {
		parts = append(parts, string(d.Ledger)+" in the ledger")
	}
	if d.Cache != "" {
		parts = append(parts, string(d.Cache)+" in the cache")
	}
	return strings.Join(parts, ", ")
}

func (e *Entity) add(d Difference) {
	switch d.kind() {
	case Missing:
		e.Missing++
	case Extra:
		e.Extra++
	case Different:
		e.Different++
	}
	e.Differences = append(e.Differences, d)
}

func (e Entity) differs() bool { return e.Missing+e.Extra+e.Different > 0 }

// conclude fills in the report's totals from its entities.
func (r *Report) conclude() {
	r.OK = true
	var first *time.Time
	known := true
	for _, e := range r.Entities {
		if e.differs() || e.Trouble != "" {
			r.OK = false
		}
		if e.Absent {
			continue
		}
		if e.ConsistentThrough == nil {
			known = false
		} else if first == nil || e.ConsistentThrough.Before(*first) {
			first = e.ConsistentThrough
		}
	}
	if known {
		r.ConsistentThrough = first
	}
	r.Sentence = r.sentence()
}

func (r *Report) sentence() string {
	at := "as of " + r.AsOf.Format(time.RFC3339) + ", "
	if r.OK {
		return at + r.goodNews()
	}
	var bad badNews
	for _, e := range r.Entities {
		if e.differs() || e.Trouble != "" {
			bad.add(e)
		}
	}
	return at + bad.what() + ": " + bad.remedy()
}

// badNews collects what is wrong with the entities of a report.
type badNews struct {
	where   []string // entities
	rows    int
	atLeast bool // there may be more
	// What has a remedy.
	ledger, cache, gone, topic, troubled bool
}

func (b *badNews) add(e Entity) {
	b.where = append(b.where, e.Name)
	b.rows += e.Missing + e.Extra + e.Different
	b.troubled = b.troubled || e.Trouble != ""
	b.atLeast = b.atLeast || e.AtLeast
	for _, d := range e.Differences {
		b.gone = b.gone || d.Ledger == Extra
		b.topic = b.topic || d.Topic != ""
		b.ledger = b.ledger || d.Ledger != "" && d.Ledger != Extra
		b.cache = b.cache || d.Cache != "" && d.Ledger == ""
	}
}

func (b *badNews) what() string {
	switch {
	case b.rows == 0:
		return names(b.where) + " could not be verified"
	case b.atLeast:
		return fmt.Sprintf("at least %s of %s differ", plural(b.rows, "row"), names(b.where))
	}
	return fmt.Sprintf("%s of %s differ", plural(b.rows, "row"), names(b.where))
}

// goodNews claims only what was compared.
func (r *Report) goodNews() string {
	moving := 0
	for _, e := range r.Entities {
		moving += e.Moving
	}
	news := "every row of every entity at the source is in the ledger and in the cache"
	if !r.Full {
		news += " by number, and every row that was compared is the same"
	}
	if moving > 0 {
		news += fmt.Sprintf(" (%s changed since and not counted)", plural(moving, "row"))
	}
	return news
}

// remedy says what to do about the earliest cause: the cache cannot have what the
// ledger lacks.
func (b *badNews) remedy() string {
	var todo []string
	for _, r := range []struct {
		needed bool
		what   string
	}{
		{b.ledger, "see that the poller runs, and run odastream scan ENTITY if it stays"},
		{b.gone, "run odastream scan ENTITY, which looks for rows that vanished"},
		{b.topic, "see that the poller runs, which fills a topic that lost rows at its next start or scan; odastream scan ENTITY asks for one now"},
		{b.cache, "see that the sink runs and what odastream dlq list shows, and run odastream rebuild ENTITY if it stays"},
		{b.troubled, "see the reason beside each"},
	} {
		if r.needed {
			todo = append(todo, r.what)
		}
	}
	return strings.Join(todo, "; ")
}

func names(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
