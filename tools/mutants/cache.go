package main

func ofTheCache() []mutant {
	return []mutant{
		{
			rule: "a session that lacked a partition is not used again", file: "cache/apply.go",
			old: "_ = conn.Conn().Close(ctx)", new: "_ = ctx",
			pkg: "./cache", tests: "TestASessionThatLackedAPartitionIsNotUsedAgain",
		},
		{
			invariant: 3, rule: "a row never goes back to an older seq", file: "cache/apply.go",
			old: "WHERE p.seq < excluded.seq\n    RETURNING p.created_at", new: "RETURNING p.created_at",
			pkg: "./cache", tests: anyOrder, flags: histories,
		},
		{
			invariant: 3, rule: "an older change does not bring back a deleted row", file: "cache/apply.go",
			old: "OR s.seq > COALESCE(", new: "OR 0 <= COALESCE(",
			pkg: "./cache", tests: anyOrder, flags: histories,
		},
		{
			invariant: 3, rule: "an older delete leaves a newer row", file: "cache/apply.go",
			old: "p.entity_id = g.entity_id AND p.seq < g.seq", new: "p.entity_id = g.entity_id",
			pkg: "./cache", tests: anyOrder, flags: histories,
		},
		{
			invariant: 2, rule: "an offset moves only from where it was", file: "cache/move.go",
			old: "o.topic_id = m.topic_id AND o.next_offset = m.was\n", new: "o.topic_id = m.topic_id\n",
			pkg: "./cache", tests: "TestMoves|TestOneOfTwoWritersMovesTheOffset",
		},
		{
			invariant: 2, rule: "a batch whose offset was moved by another is dropped whole", file: "cache/move.go",
			old: "SELECT 1 / (count(*) = $7)::integer FROM", new: "SELECT count(*) FROM",
			pkg: "./cache", tests: "TestMoves|TestOneOfTwoWritersMovesTheOffset",
		},
		{
			rule: "a batch that changes rows writes their history", file: "cache/apply.go",
			old: "1 / ($2 OR count(*) FILTER (WHERE changed AND NOT inserted) = 0)::integer", new: "1",
			pkg: "./cache", tests: "TestHistory|TestAsOfAnyHistory", flags: histories,
		},
		{
			rule: "a history's predecessor is the record before it in the batch", file: "cache/history.go",
			old: "ELSE lag(s.data) OVER w END AS was", new: "ELSE p.data END AS was",
			pkg: "./cache", tests: "TestHistory|TestAsOfAnyHistory", flags: histories,
		},
		{
			rule: "expiry keeps a row's seq", file: "cache/upkeep.go",
			old: "SELECT entity_type, entity_id, seq, true FROM removed", new: "SELECT entity_type, entity_id, 0, true FROM removed",
			pkg: "./cache", tests: "TestExpire",
		},
	}
}

func ofTheRepairs() []mutant {
	return []mutant{
		{
			rule: "a batch that waits for the history does not keep the expiry waiting", file: "cache/move.go",
			old: "\tm.Add(lockHistory)\n", new: "", pkg: "./cache", tests: "TestExpireDoesNotWaitForABatchThatWaits",
		},
		{
			invariant: 3, rule: "a rebuild judges under the sink's locks", file: "cache/shadow.go",
			old: "\tlockForWriting(&m, t.lockKeys())\n", new: "",
			pkg: "./cache", tests: "TestExamineHoldsTheSinksLocks|TestRowsAppliedDuringARebuildStay",
		},
		{
			invariant: 3, rule: "a rebuild reads the topic on to its end before it judges", file: "cache/shadow.go",
			old: "\t\t\tif err := readOn(ctx); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n", new: "",
			pkg: "./cache", tests: "TestRowsAppliedDuringARebuildStay",
		},
		{
			rule: "a rebuild leaves to the sink what it has yet to apply", file: "cache/shadow_compare.go",
			old: "WHEN t.\"offset\" >= (%[2]s)[t.part + 1] THEN 'pending'", new: "WHEN (%[2]s)[t.part + 1] < 0 THEN 'pending'",
			pkg: "./cache", tests: "TestPendingRowsAreLeftToTheSink",
		},
		{
			rule: "an offset older than the topic keeps deletes has the topic looked through", file: "stream/start_age.go",
			old: "if ages[topic] <= keeps {", new: "if ages[topic] <= keeps || true {",
			pkg: "./apply", tests: "TestABackupOlderThanTheTopicKeepsDeletesConverges",
		},
	}
}
