package main

func ofTheSink() []mutant {
	return []mutant{
		{
			invariant: 2, rule: "a dead letter is acknowledged before the offset passes its record", file: "apply/write.go",
			old: "if err := s.writeDeadLetters(ctx, segs); err != nil {\n\t\treturn segs, err\n\t}", new: "_ = s.writeDeadLetters(ctx, segs)",
			pkg: "./apply", tests: "TestOffsetWaitsForTheDeadLetter",
		},
		{
			invariant: 6, rule: "an unknown error is the environment's", file: "cache/fault.go",
			old: "\t\treturn pg.Code, true\n\t}\n\treturn \"\", false", new: "\t\treturn pg.Code, true\n\t}\n\treturn pg.Code, true",
			pkg: "./cache", tests: "TestIsRecordFault",
		},
		{
			invariant: 6, rule: "a record is at fault only if it was refused alone", file: "apply/write.go",
			old: "switch alone := count(segs) == 1; {", new: "switch alone := count(segs) >= 1; {",
			pkg: "./apply", tests: "TestRecordThatPostgresRefusesIsFoundAmongItsBatch|TestTwentyFiveBadRecordsAmongTenThousandGoodOnes",
		},
		{
			rule: "a dead letter's class says what is wrong with its record", file: "apply/segment.go",
			old: "return decode.Class", new: "_ = decode\n\t\treturn stream.ClassDecode",
			pkg: "./apply", tests: "TestTwentyFiveBadRecordsAmongTenThousandGoodOnes",
		},
		{
			rule: "a rebalance waits for a write, and not for long", file: "apply/work.go",
			old: "time.NewTimer(s.handover)", new: "time.NewTimer(time.Hour)",
			pkg: "./apply", tests: "TestAWriteLongerThanTheSessionEvictsNoMember",
		},
	}
}

// ofTheGroup are rules that hold between sinks, found by killing and freezing them.
func ofTheGroup() []mutant {
	return []mutant{
		{
			invariant: 2, rule: "rows and offsets are one transaction", file: "cache/store.go",
			old: "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL plan_cache_mode", new: "SET LOCAL plan_cache_mode",
			pkg: "./apply", tests: anySinks,
		},
		{
			invariant: 2, rule: "what a sink writes for a partition that it has lost is dropped", file: "cache/move.go",
			old: "SELECT 1 / (count(*) = $7)::integer FROM", new: "SELECT count(*) FROM",
			pkg: "./apply", tests: anySinks, env: []string{"ODASTREAM_HISTORIES=80"}, // it takes a thaw at the right moment
		},
		{
			invariant: 2, rule: "reading goes on at the stored offset and not behind it", file: "stream/start.go",
			old: "p.at = pos.Next\n", new: "p.at = pos.Next + 1\n",
			pkg: "./apply", tests: anySinks,
		},
		{
			invariant: 3, rule: "what a zombie of a poller wrote changes no row", file: "cache/apply.go",
			old: "WHERE p.seq < excluded.seq\n    RETURNING p.created_at", new: "RETURNING p.created_at",
			pkg: "./apply", tests: anySinks,
		},
		{
			invariant: 3, rule: "what a zombie of a poller wrote brings no row back", file: "cache/apply.go",
			old: "OR s.seq > COALESCE(", new: "OR 0 <= COALESCE(",
			pkg: "./apply", tests: anySinks,
		},
		{
			invariant: 5, rule: "a dead letter is in the batch's transaction", file: "cache/apply.go",
			old: "\taddDeadLetters(&m, a.batch.DeadLetters)\n", new: "",
			pkg: "./apply", tests: anySinks,
		},
		{
			invariant: 6, rule: "a connection that breaks is no record's fault", file: "cache/fault.go",
			old: "\tif !errors.As(err, &pg) {\n\t\treturn \"\", false\n\t}\n\tswitch {", new: "\tif !errors.As(err, &pg) {\n\t\treturn \"\", err != nil\n\t}\n\tswitch {",
			pkg: "./apply", tests: anySinks,
		},
		{
			rule: "each change stands in the history with its predecessor, whatever batches it came in", file: "cache/history.go",
			old: "ELSE lag(s.data) OVER w END AS was", new: "ELSE p.data END AS was",
			pkg: "./apply", tests: anySinks,
		},
	}
}

// ofTheAssignment are rules of the offsets from which a sink reads its assigned partitions.
func ofTheAssignment() []mutant {
	return []mutant{
		{
			rule: "a rebalance does not begin the look-up of start offsets anew", file: "stream/group_lookup.go",
			old: "context.WithCancel(context.WithoutCancel(ctx))", new: "context.WithCancel(ctx)",
			pkg: "./stream", tests: "TestRebalancesDoNotRestartALookUp",
		},
		{
			invariant: 2, rule: "a start offset that was found before another member had the partition is not used", file: "stream/group_assign.go",
			old: "\tc.lookups.discard(gone...)\n", new: "",
			pkg: "./stream", tests: "TestAPartitionThatComesBackIsLookedUpAgain",
		},
		{
			invariant: 2, rule: "a start offset that was found as another member of the group is not used", file: "stream/group_lookup.go",
			old: "look != nil && look.member == member", new: "look != nil",
			pkg: "./stream", tests: "TestALookUpIsNotUsedAfter",
		},
		{
			rule: "a start offset that was found is kept when another was not", file: "stream/group_lookup.go",
			old: "\t\t\tfailed = look.err\n", new: "\t\t\tfailed = look.err\n\t\t\tdefer clear(l.pending)\n",
			pkg: "./stream", tests: "TestOnlyAFailedLookUpIsRepeated",
		},
	}
}
