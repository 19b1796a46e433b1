package checker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"odastream/schema"
)

// Author invents changes such as a poller publishes: of a few rows, of every action, and
// often back to an earlier content. All fields but Seq and Old are required.
type Author struct {
	Rand     *rand.Rand
	Entities []string
	FirstID  int64 // of the rows, which are IDs in a row
	IDs      int64
	Seq      int64           // of the previous change
	Old      []schema.Change // all changes made so far
}

// Change invents the next change.
func (a *Author) Change() schema.Change {
	a.Seq++
	c := schema.Change{
		Entity: a.Entities[a.Rand.IntN(len(a.Entities))], ID: a.FirstID + a.Rand.Int64N(a.IDs), Seq: a.Seq, Timestamp: time.Now().UTC(),
		Action: []schema.Action{schema.Snapshot, schema.Create, schema.Update, schema.Update, schema.Delete}[a.Rand.IntN(5)], Origin: schema.OriginTail,
	}
	if c.Action != schema.Delete {
		c.Data = fmt.Appendf(nil, `{"id": %d, "v": %d}`, c.ID, a.Rand.IntN(4))
	}
	a.Old = append(a.Old, c)
	return c
}

// nul is the JSON escape of a character that jsonb cannot hold.
const nul = `\u0000`

// Broken invents a record of entity that no cache can hold: its value is not a change, or
// Postgres refuses its content.
func (a *Author) Broken(entity string) (key, value string) {
	a.Seq++
	id := a.FirstID + a.Rand.Int64N(a.IDs)
	value = "{no change"
	if a.Rand.IntN(2) == 0 {
		value = fmt.Sprintf(`{"entity":%q,"id":%d,"action":"update","seq":%d,"timestamp":"2026-11-23T15:10:00.123456Z","opdateringsdato":null,"origin":"tail","data":{"v":"a%sb"}}`,
			entity, id, a.Seq, nul)
	}
	return schema.Key(entity, id), value
}

// bombBytes is what a hostile record unpacks to. On the disk it takes a few kilobytes.
const bombBytes = 2 << 20

// hostileKinds is how many kinds of records Hostile invents.
const hostileKinds = 8

// Hostile invents a record on the topic of entity, which is not Aktør, such as somebody
// writes who may write to the topic and means ill. Sinks must refuse it.
func (a *Author) Hostile(entity string) (key, value []byte, header string) {
	a.Seq++
	id := a.FirstID + a.Rand.Int64N(a.IDs)
	c := schema.Change{
		Entity: entity, ID: id, Seq: a.Seq, Timestamp: time.Now().UTC(), Action: schema.Update, Origin: schema.OriginTail,
		Data: fmt.Appendf(nil, `{"id": %d, "v": "falsk"}`, id),
	}
	key = []byte(c.Key())
	large := bytes.Repeat([]byte{'x'}, bombBytes)
	switch a.Rand.IntN(hostileKinds) {
	case 0: // hides all later changes, if it is believed
		c.Seq = time.Now().Add(25 * time.Hour).UnixMicro()
	case 1:
		c.Entity = "Aktør"
		key = []byte(c.Key())
	case 2:
		c.Seq = 9e18
	case 3: // no tombstone: it has no ce_id
		return key, nil, ""
	case 4:
		return []byte("\x00\xff"), c.AppendJSON(nil), ""
	case 5:
		return key, large, ""
	case 6:
		return large, c.AppendJSON(nil), ""
	case 7:
		return key, []byte("{no change"), string(large)
	}
	return key, c.AppendJSON(nil), ""
}

// Records returns the number of records of the changes on their topics: a tombstone
// follows each delete.
func Records(changes []schema.Change) (n int) {
	for _, c := range changes {
		n++
		if c.Action == schema.Delete {
			n++
		}
	}
	return n
}

// RecordOf returns what Judge needs of a record: its change, or the error of decoding it.
func RecordOf(at Place, c schema.Change, err error) Record {
	if err != nil || bytes.Contains(c.Data, []byte(nul)) {
		return Record{Place: at, Broken: true}
	}
	r := Record{Place: at, Key: Key{c.Entity, c.ID}, Seq: c.Seq, Data: string(c.Data), Create: c.Action == schema.Create}
	if c.Action == schema.Delete {
		r.Data = ""
	}
	return r
}
