package main

func ofTheTopic() []mutant {
	return []mutant{
		{
			invariant: 1, rule: "what was not acknowledged is not saved", file: "capture/sender.go",
			old: "if err := s.publish(ctx, next.result.changes); err != nil {\n\t\t\t\treturn err\n\t\t\t}", new: "_ = s.publish(ctx, next.result.changes)",
			pkg: "./capture", tests: "TestACrashAtAnyStepLosesAndRepeatsNothing|" + anyHistory, flags: histories,
		},
		{
			invariant: 8, rule: "the ledger is brought up to the topic's end before work begins", file: "capture/fold.go",
			old: "from[partition] = known.Next", new: "from[partition] = max(known.Next, state.End[partition])",
			pkg: "./capture", tests: "TestACrashAtAnyStepLosesAndRepeatsNothing",
		},
		{
			invariant: 8, rule: "what is acknowledged and not saved yet is known to the next comparison", file: "capture/compare.go",
			old: "checksums[entry.ID] = entry.RowChecksum()", new: "_ = entry",
			pkg: "./capture", tests: "TestOncePublishesEveryRow|" + anyHistory, flags: histories,
		},
		{
			invariant: 3, rule: "seq goes on above the highest one on the topic", file: "capture/fold.go",
			old: "f.seq.raise(entry.Seq)\n", new: "",
			pkg: "./capture", tests: "TestARestoredDatabaseContinuesAboveTheTopicsSeq",
		},
		{
			invariant: 8, rule: "a recreated topic is filled again", file: "capture/fold.go",
			old: "case known.TopicID != state.ID:", new: "case known.TopicID != state.ID && false:",
			pkg: "./capture", tests: "TestARecreatedTopicWithRecordsOfOthersIsFilled",
		},
		{
			invariant: 8, rule: "a topic that was cut is filled anew", file: "capture/fold.go",
			old: "case known.Next > state.End[partition]:", new: "case known.Next > state.End[partition] && false:",
			pkg: "./capture", tests: "TestATopicTruncatedAtItsEndIsRepaired",
		},
		{
			invariant: 4, rule: "a late record of a previous holder is published over", file: "checkpoint/ledger.go",
			old: "ELSE ''::bytea END`", new: "ELSE excluded.hash END`",
			pkg: "./checkpoint", tests: "TestFoldComparesTheTopicWithTheLedger|TestLedgerAgainstAModel", flags: histories,
		},
		{
			invariant: 4, rule: "each scan looks for late records first", file: "capture/writer.go",
			old: "if b.refold {", new: "if b.refold && false {",
			pkg: "./capture", tests: "TestAZombiesRecordDuringASessionIsRepaired",
		},
	}
}

func ofARecreatedTopic() []mutant {
	return []mutant{
		{
			invariant: 8, rule: "a recreated topic tells of what was deleted meanwhile", file: "checkpoint/reset.go",
			old: "UPDATE poller_ledger SET seq = 0, hash = NULL, spelling = 0, fields = NULL", new: "DELETE FROM poller_ledger",
			pkg: "./capture", tests: "TestARecreatedTopicHasTheDeletesMadeMeanwhile|" + anyHistory, flags: histories,
		},
		{
			rule: "a source that collapsed while its topic was recreated deletes nothing", file: "checkpoint/scan.go",
			old: "WHERE entity_type = $1 AND `+atSource", new: "WHERE entity_type = $1 AND hash IS NOT NULL`",
			pkg: "./capture", tests: "TestARecreatedTopicOfACollapsedSourceDeletesNothing",
		},
		{
			invariant: 5, rule: "a Lost row is missed from its range", file: "checkpoint/checksum.go",
			old: "entity_id <= $3 AND `+atSource", new: "entity_id <= $3 AND hash IS NOT NULL`",
			pkg: "./checkpoint", tests: "TestALostRowIsExpectedAndMatchesNoChecksum",
		},
		{
			invariant: 8, rule: "a reset that is interrupted starts again", file: "checkpoint/reset.go",
			old: "	for after := int64(math.MinInt64); ; {", new: "	_, _ = s.pool.Exec(ctx, `DELETE FROM poller_positions`)\n	for after := int64(math.MinInt64); ; {",
			pkg: "./checkpoint", tests: "TestAnInterruptedResetStartsAgain",
		},
	}
}

func ofTheLease() []mutant {
	const fence = "WHERE entity_type = $1 AND holder = $2 AND epoch = $3 FOR UPDATE) AS held`"
	return []mutant{
		{
			invariant: 4, rule: "a save whose lease was taken saves nothing", file: "checkpoint/fenced.go",
			old: fence, new: "WHERE entity_type = $1 AND $2 <> '' AND $3::bigint > 0 FOR UPDATE) AS held`",
			pkg: "./checkpoint", tests: "TestSaveWithALostLeaseChangesNothing",
		},
		{
			invariant: 4, rule: "a lease does not change hands in the midst of a save", file: "checkpoint/fenced.go",
			old: fence, new: "WHERE entity_type = $1 AND holder = $2 AND epoch = $3) AS held`",
			pkg: "./checkpoint", tests: "TestATakeoverWaitsForARunningSave|TestNoSaveSucceedsAfterATakeover",
		},
		{
			invariant: 4, rule: "a lease that runs is taken by nobody else", file: "checkpoint/lease.go",
			old: "WHERE l.expires_at <= clock_timestamp() OR l.holder = excluded.holder", new: "WHERE true",
			pkg: "./checkpoint", tests: "TestAcquireFailsWhileAnotherHoldsTheLease|TestRaceForALeaseHasOneWinner",
		},
	}
}
