package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

// Explanation is all that is known about one row, place by place. A place without the
// row is nil.
type Explanation struct {
	Entity      string        `json:"entity"`
	ID          int64         `json:"id"`
	AsOf        time.Time     `json:"asOf"`
	Source      *SourceRow    `json:"source"`
	SourceError string        `json:"sourceError,omitempty"` // why Source is not known
	Ledger      *LedgerRow    `json:"ledger"`
	Cache       *CacheRow     `json:"cache"`
	Deleted     *DeletedRow   `json:"deleted"`
	DeadLetters []FailedWrite `json:"deadLetters,omitempty"`
	Watermark   *time.Time    `json:"watermark"` // of the entity
	Verdict     string        `json:"verdict"`
}

// SourceRow is a row as the source has it now.
type SourceRow struct {
	Opdateringsdato string `json:"opdateringsdato"` // "" for null
	Hash            string `json:"hash"`            // of the content, hexadecimal
	Data            string `json:"data"`            // byte for byte
}

// LedgerRow is what the ledger says the topic holds.
type LedgerRow struct {
	State           string    `json:"state"` // "live", "deleted", "dirty" (to be published again), "lost" (its topic is gone)
	Seq             int64     `json:"seq"`
	At              time.Time `json:"at,omitzero"`               // seq as a time; zero if lost
	Hash            string    `json:"hash,omitempty"`            // "" unless live
	Opdateringsdato string    `json:"opdateringsdato,omitempty"` // "" unless live
}

// CacheRow is a row of parliamentary_data.
type CacheRow struct {
	Seq       int64      `json:"seq"`
	At        time.Time  `json:"at"` // seq as a time
	CreatedAt time.Time  `json:"createdAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
	ExpiresAt *time.Time `json:"expiresAt"`
	Data      string     `json:"data"` // in jsonb's spelling
}

// DeletedRow is a row of parliamentary_deleted.
type DeletedRow struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"` // seq as a time
	DeletedAt time.Time `json:"deletedAt"`
	Expired   bool      `json:"expired"` // removed by CACHE_TTL, not deleted at the source
}

// FailedWrite is a row of dead_letters.
type FailedWrite struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Class     string    `json:"class"`
	Error     string    `json:"error"`
	State     string    `json:"state"`
	FailedAt  time.Time `json:"failedAt"`
}

// Explain returns all that source, ledger and cache know about one row. If the source
// does not answer, the Explanation says so. An error comes from the database
// (cache.IsMissingTable: it was never migrated) or from the end of ctx.
func (v *Verifier) Explain(ctx context.Context, entity string, id int64) (Explanation, error) {
	x := Explanation{Entity: entity, ID: id, AsOf: time.Now().UTC().Truncate(time.Second)}
	c := &check{run: &run{Verifier: v}, out: &Entity{Name: entity}}
	var seen view
	var err error
	if seen, err = c.explain(ctx, &x); err != nil {
		return x, fmt.Errorf("explain %s: %w", schema.Key(entity, id), err)
	}
	x.Verdict = x.verdict(seen)
	return x, nil
}

// explain reads each place, the source first.
func (c *check) explain(ctx context.Context, x *Explanation) (seen view, err error) {
	rows, err := c.fetch(ctx, []int64{x.ID})
	if fault, ok := errors.AsType[*oda.Error](err); ok && ctx.Err() == nil {
		x.SourceError = fault.Error()
	} else if err != nil {
		return seen, err
	}
	seen = view{id: x.ID, source: rows[x.ID]}
	if s := seen.source; s.present {
		x.Source = &SourceRow{Opdateringsdato: s.stamp, Hash: hex.EncodeToString(s.hash[:]), Data: string(s.data)}
	}
	at, err := c.ledger.Load(ctx, x.Entity)
	if err != nil {
		return seen, err
	}
	x.Watermark = optional(at.Watermark)
	known, err := c.ledger.Entries(ctx, x.Entity, []int64{x.ID}, nil)
	if err != nil {
		return seen, err
	}
	if e, ok := known[x.ID]; ok {
		seen.entry, x.Ledger = e, ledgerRow(e)
	}
	cached, err := c.storedOf(ctx, []int64{x.ID})
	if err != nil {
		return seen, err
	}
	seen.stored = cached[x.ID]
	if seen.cacheFinding() == Different {
		if seen.stored.agrees, err = c.cache.SameContent(ctx, x.Entity, x.ID, seen.source.data); err != nil {
			return seen, err
		}
	}
	return seen, c.readPlaces(ctx, x)
}

func ledgerRow(e checkpoint.Entry) *LedgerRow {
	if e.State == checkpoint.Lost {
		return &LedgerRow{State: "lost"}
	}
	row := &LedgerRow{Seq: e.Seq, At: seqTime(e.Seq), Opdateringsdato: e.Stamp}
	switch e.State {
	case checkpoint.Deleted:
		row.State = "deleted"
	case checkpoint.Dirty:
		row.State = "dirty"
	default:
		row.State, row.Hash = "live", hex.EncodeToString(e.Hash[:])
	}
	return row
}

func seqTime(seq int64) time.Time { return time.UnixMicro(seq).UTC() }

// readPlaces reads the cache's tables.
func (c *check) readPlaces(ctx context.Context, x *Explanation) error {
	row, deleted, err := c.cache.Row(ctx, x.Entity, x.ID)
	if err != nil {
		return err
	}
	if row != nil {
		x.Cache = &CacheRow{
			Seq: row.Seq, At: seqTime(row.Seq), CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(), ExpiresAt: row.ExpiresAt, Data: row.Data,
		}
	}
	if deleted != nil {
		x.Deleted = &DeletedRow{Seq: deleted.Seq, At: seqTime(deleted.Seq), DeletedAt: deleted.DeletedAt.UTC(), Expired: deleted.Expired}
	}
	letters, err := c.cache.DeadLetters(ctx, cache.DeadLetterFilter{Key: schema.Key(x.Entity, x.ID)})
	for _, l := range letters {
		x.DeadLetters = append(x.DeadLetters, FailedWrite{
			Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, Class: l.Class, Error: l.Error, State: string(l.State), FailedAt: l.FailedAt,
		})
	}
	slices.SortStableFunc(x.DeadLetters, func(a, b FailedWrite) int { return a.FailedAt.Compare(b.FailedAt) })
	return err
}

// verdict returns the sentence that sums up the explanation.
func (x *Explanation) verdict(v view) string {
	d, wrong := v.difference()
	switch {
	case x.SourceError != "":
		return "the source did not answer, so nothing can be said of what is newest"
	case wrong:
		return x.cause(d)
	}
	return x.agreement(v)
}

// agreement says what all three places agree on.
func (x *Explanation) agreement(v view) string {
	switch {
	case x.Source != nil && v.stored.expired:
		return "the row is published; CACHE_TTL has removed it from the cache"
	case x.Source != nil:
		return "the row is the same at the source, in the ledger and in the cache"
	case x.Ledger != nil || x.Deleted != nil:
		return "the row was deleted at the source, and is deleted everywhere"
	}
	return "nobody knows the row: the source has none with this id, and had none while odastream looked"
}

// cause says why the places differ and what to do. It names the earliest cause.
func (x *Explanation) cause(d Difference) string {
	switch {
	case d.Ledger == Extra:
		return "the row is gone at the source and its delete is not published: the next scan finds it, odastream scan " + x.Entity + " asks for one now"
	case d.Dirty:
		return "the topic's last record of the row is not the newest: the poller publishes the row again with its next pass"
	case d.Ledger != "":
		return "the source's row is " + string(d.Ledger) + " in the ledger, so it is not published: " + x.unpublished()
	case x.openDeadLetter():
		return "the row is published, and the sink could not apply it: odastream dlq show says why, dlq retry tries again"
	}
	return "the row is published, and " + string(d.Cache) + " in the cache: see that the sink runs (odastream status); odastream rebuild " +
		x.Entity + " mends the cache"
}

func (x *Explanation) openDeadLetter() bool {
	for _, l := range x.DeadLetters {
		if l.State == string(cache.DeadLetterOpen) {
			return true
		}
	}
	return false
}

// unpublished says what to do about a row that the poller has not seen yet.
func (x *Explanation) unpublished() string {
	if x.Watermark == nil {
		return "the entity was never read; start a poller"
	}
	if x.Source.Opdateringsdato > oda.LatestWall(*x.Watermark, *x.Watermark) {
		return "it is stamped after the entity's watermark, and the poller's next pass reads it; see that it runs (odastream status)"
	}
	return "it is stamped before the entity's watermark, so it is a silent edit or came late; odastream scan " + x.Entity + " asks for a scan now"
}
