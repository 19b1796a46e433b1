// Package survey reports the state of a running odastream as its database and its daemons
// show it.
//
// Invariant: it only reads. A part that does not answer is reported as such, and the
// others are still reported. It knows nothing of how poller and sink work.
package survey

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/apply"
	"odastream/capture"
	"odastream/schema"
)

// Target says where to look.
type Target struct {
	Pool        *pgxpool.Pool // the caller closes it
	Poller      string        // host:port of its endpoints; "": not asked
	Sink        string
	TopicPrefix string // of the topics in the database's tables
}

// Report is the state of all parts.
type Report struct {
	At       time.Time `json:"at"`
	Rows     *int64    `json:"rows"` // in the cache; null if counting takes too long
	Poller   Daemon    `json:"poller"`
	Sink     Daemon    `json:"sink"`
	Entities []Entity  `json:"entities"` // those that the tables or the daemons know, in load order
}

// Daemon is the answer of one of the two daemons.
type Daemon struct {
	Addr   string `json:"addr,omitempty"`
	OK     bool   `json:"ok"`               // it answered
	Reason string `json:"reason,omitempty"` // why it did not answer, or what it reports as wrong
	Lag    int64  `json:"lag,omitempty"`    // of the sink: records that are not applied yet
}

// Entity is the state of one entity.
type Entity struct {
	Entity      string        `json:"entity"`
	Rows        *int64        `json:"rows"`             // in the cache; null if counting takes too long
	State       capture.State `json:"state,omitempty"`  // as the poller says; "" if it does not answer
	Reason      string        `json:"reason,omitempty"` // reason for State, or why a partition is held up
	Holder      string        `json:"holder,omitempty"` // the poller that holds the lease
	Watermark   time.Time     `json:"watermark,omitzero"`
	LoadedAt    time.Time     `json:"loaded_at,omitzero"` // when the first load was complete
	ScannedAt   time.Time     `json:"scanned_at,omitzero"`
	AppliedAt   time.Time     `json:"applied_at,omitzero"` // when the sink last moved its offset
	Lag         int64         `json:"lag"`                 // records not applied yet, by the sink's answer; 0 if there is none
	DeadLetters int64         `json:"dead_letters"`        // open ones
}

// statusTimeout bounds each request to a daemon.
const statusTimeout = 3 * time.Second

// Take returns the state of everything. Without the database there is no report: Take
// returns its error, which cache.IsMissingTable may recognise.
func Take(ctx context.Context, t Target) (Report, error) {
	r := Report{At: time.Now().UTC(), Poller: Daemon{Addr: t.Poller}, Sink: Daemon{Addr: t.Sink}}
	known, err := readTables(ctx, t)
	if err != nil {
		return r, err
	}
	r.Rows = known.rows
	var poller capture.Status
	r.Poller.ask(ctx, &poller)
	var sink apply.Status
	r.Sink.ask(ctx, &sink)
	known.addPoller(poller)
	known.addSink(t, sink)
	if r.Sink.OK {
		r.Sink.Reason, r.Sink.Lag = sink.Reason, sink.Lag
	}
	r.Entities = known.inOrder()
	return r, nil
}

// ask fetches /status of a daemon.
func (d *Daemon) ask(ctx context.Context, into any) {
	if d.Addr == "" {
		d.Reason = "not asked: no address"
		return
	}
	if err := fetch(ctx, "http://"+d.Addr+"/status", into); err != nil {
		d.Reason = "no answer: " + strings.TrimSpace(err.Error())
		return
	}
	d.OK = true
}

func fetch(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d from %s, which may not be odastream's", resp.StatusCode, url)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(into); err != nil {
		return fmt.Errorf("decode the answer of %s, which may not be odastream's: %w", url, err)
	}
	return nil
}

// entities are the known entities, by their topic's last part.
type entities struct {
	bySuffix map[string]*Entity
	rows     *int64
}

func (k *entities) of(name string) *Entity {
	suffix := schema.Suffix(name)
	e, ok := k.bySuffix[suffix]
	if !ok {
		e = &Entity{Entity: name}
		k.bySuffix[suffix] = e
	}
	return e
}

func (k *entities) addPoller(s capture.Status) {
	for _, e := range s.Entities {
		of := k.of(e.Entity)
		of.State, of.Reason = e.State, e.Reason
		if e.Watermark.After(of.Watermark) {
			of.Watermark = e.Watermark
		}
	}
}

func (k *entities) addSink(t Target, s apply.Status) {
	for _, topic := range s.Topics {
		e, ok := k.bySuffix[strings.TrimPrefix(topic.Topic, t.TopicPrefix)]
		if !ok {
			continue
		}
		e.Lag = topic.Lag
		for _, p := range topic.Partitions {
			if p.Reason != "" && e.Reason == "" {
				e.Reason = fmt.Sprintf("partition %d is held up: %s", p.Partition, p.Reason)
			}
		}
	}
}

// inOrder returns the known entities in load order, unknown ones last.
func (k *entities) inOrder() []Entity {
	list := []Entity{}
	for _, e := range schema.Entities() {
		if known, ok := k.bySuffix[e.Suffix]; ok {
			list = append(list, *known)
			delete(k.bySuffix, e.Suffix)
		}
	}
	for _, e := range k.bySuffix {
		list = append(list, *e)
	}
	return list
}
