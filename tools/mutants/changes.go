package main

const changesAfter = "schema/migrations/00013_changes_after.sql"

// ofTheCursors breaks what keeps a reader of the history from missing a change.
func ofTheCursors() []mutant {
	const (
		lateness = "TestChangesAfterHasALateCommit"
		first    = "    -- First what is left of the transaction that was partly read.\n"
	)
	naive := func(column, after, order string) string {
		return `    RETURN QUERY SELECT parliamentary_history_text(ROW (here.base, here.drops, 0, '1:2:1', '1',
            parliament.seq_at(h.recorded_at), h.entity_id, h.seq, h.entity_type)),
        h.entity_type, h.entity_id, h.action, h.changed, h.before, h.after, h.seq, h.recorded_at
    FROM parliamentary_history h WHERE ` + column + ` > ` + after + ` ORDER BY ` + order + ` LIMIT rest;
    RETURN;
` + first
	}
	return []mutant{
		{
			rule: "a cursor of the history is none by seq", file: changesAfter,
			old: first, new: naive("h.seq", "place.seq", "h.seq"),
			pkg: "./cache", tests: lateness,
		},
		{
			rule: "a cursor of the history is none by recorded_at", file: changesAfter,
			old: first, new: naive("parliament.seq_at(h.recorded_at)", "place.at", "h.recorded_at"),
			pkg: "./cache", tests: lateness,
		},
		{
			rule: "a cursor of the history knows which transactions ran", file: changesAfter,
			old: "WHERE r.xid < upto);", new: "WHERE r.xid < upto AND false);",
			pkg: "./cache", tests: lateness,
		},
		{
			rule: "a cursor of the history waits for no transaction", file: changesAfter,
			old: "    IF pg_is_in_recovery() THEN\n", new: "    IF true THEN\n",
			pkg: "./cache", tests: "TestChangesAfterWaitsForNobody",
		},
		{
			rule: "a transaction that was partly read is not read yet", file: changesAfter,
			old: "SELECT to_hex(c.system_identifier) || '-' || d.oid, s.drops, 0, '1:2:1',", new: "SELECT to_hex(c.system_identifier) || '-' || d.oid, s.drops, 0, '2:2:',",
			pkg: "./cache", tests: "TestChangesAfterADroppedMonthOfOldRows",
		},
		{
			rule: "a transaction that ran once is not read twice", file: changesAfter,
			old: "r < xid AND NOT pg_visible_in_snapshot(r, seen)\n        UNION ALL SELECT r FROM pg_snapshot_xip(seen) r WHERE r >= xid", new: "r < xid",
			pkg: "./cache", tests: "TestChangesAfterAnyOrderOfCommits", flags: []string{"-rapid.checks=400", "-rapid.shrinktime=0s", "-rapid.nofailfile"},
		},
	}
}

// ofOldCursors breaks what tells a cursor of the history that it is too old.
func ofOldCursors() []mutant {
	return []mutant{
		{
			rule: "a cursor is told of months that were dropped", file: changesAfter,
			old: "    ELSIF place.drops <> here.drops AND (", new: "    ELSIF false AND (",
			pkg: "./cache", tests: "TestChangesAfterADroppedMonthOfOldRows",
		},
		{
			rule: "months that are dropped are noted for cursors", file: "cache/upkeep.go",
			old: "\t\t\tm.Add(`SELECT parliamentary_history_forgetting($1)`, time.Duration(h.Keep))\n", new: "",
			pkg: "./cache", tests: "TestChangesAfterADroppedMonthOfOldRows",
		},
		{
			rule: "a cursor is told that the database was set back", file: changesAfter,
			old: "    ELSIF pg_snapshot_xmax(place.seen) > '2' AND NOT EXISTS", new: "    ELSIF false AND NOT EXISTS",
			pkg: "./cache", tests: "TestChangesAfterASetBackDatabase",
		},
		{
			rule: "numbers of another cluster's transactions are not believed", file: "cache/upkeep.go",
			old: "{ m.Add(`SELECT parliamentary_history_adopt()`).Scan(&adopted) })", new: "{ m.Add(`SELECT false`).Scan(&adopted) })",
			pkg: "./cache", tests: "TestChangesAfterARestoreIntoAnotherCluster",
		},
	}
}
