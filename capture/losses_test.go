package capture

import (
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

const (
	makeBackup = `CREATE SCHEMA backup;
CREATE TABLE backup.watermarks (LIKE poller_watermarks); CREATE TABLE backup.ledger (LIKE poller_ledger);
CREATE TABLE backup.positions (LIKE poller_positions); CREATE TABLE backup.scans (LIKE poller_scans); CREATE TABLE backup.vanished (LIKE poller_vanished)`
	emptyBackup = `DELETE FROM backup.watermarks; DELETE FROM backup.ledger; DELETE FROM backup.positions; DELETE FROM backup.scans; DELETE FROM backup.vanished;`
	loseLedger  = `DELETE FROM poller_watermarks; DELETE FROM poller_ledger; DELETE FROM poller_positions; DELETE FROM poller_scans; DELETE FROM poller_vanished;`
	backUp      = emptyBackup + `INSERT INTO backup.watermarks SELECT * FROM poller_watermarks; INSERT INTO backup.ledger SELECT * FROM poller_ledger;
INSERT INTO backup.positions SELECT * FROM poller_positions; INSERT INTO backup.scans SELECT * FROM poller_scans; INSERT INTO backup.vanished SELECT * FROM poller_vanished`
	restore = loseLedger + `INSERT INTO poller_watermarks SELECT * FROM backup.watermarks; INSERT INTO poller_ledger SELECT * FROM backup.ledger;
INSERT INTO poller_positions SELECT * FROM backup.positions; INSERT INTO poller_scans SELECT * FROM backup.scans; INSERT INTO poller_vanished SELECT * FROM backup.vanished`
)

// database makes a backup of the poller's tables, restores the last one, which is
// empty if there was none, or deletes the tables' rows.
func (h *history) database() {
	what := rapid.SampledFrom([]string{"backed up", "restored", "restored", "lost"}).Draw(h.rt, "database")
	h.tell("the database is %s", what)
	if what != "backed up" {
		h.seen.forget()
	}
	h.exec(map[string]string{"backed up": backUp, "restored": restore, "lost": loseLedger}[what])
}

// loseTopic deletes the topic, or removes records at the front of one partition.
func (h *history) loseTopic() {
	held := h.changes("Sag")
	if len(held) == 0 {
		return
	}
	switch rapid.IntRange(0, 2).Draw(h.rt, "topic is lost") {
	case 1:
		h.tell("the topic is deleted")
		h.seen.anew(held, h.ledger())
		h.renewTopic("Sag")
	case 2:
		h.loseFront()
	}
}

func (h *history) loseFront() {
	state, err := h.topics.State(h.t.Context(), "Sag")
	if err != nil {
		h.rt.Fatal(err)
	}
	partition := rapid.IntRange(0, state.Partitions()-1).Draw(h.rt, "partition")
	start, end := state.Start[partition], state.End[partition]
	if start == end {
		return
	}
	before := rapid.Int64Range(start+1, end).Draw(h.rt, "before")
	h.tell("partition %d loses its records before %d, of %d to %d", partition, before, start, end)
	h.seen.anew(h.changes("Sag"), h.ledger())
	h.cutTopic(int32(partition), before)
	h.seen.forgeAll(h.changes("Sag")) // they may be of any version
}

// ledger returns the rows that the ledger has as Live, Dirty or Lost.
func (h *history) ledger() []int64 {
	rows, err := h.pool.Query(h.t.Context(), `SELECT entity_id FROM poller_ledger WHERE hash IS NOT NULL OR seq = 0`)
	if err != nil {
		h.rt.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		h.rt.Fatal(err)
	}
	return ids
}
