package main

// ofSilentClients are the rules that a client that is frozen or cut off holds no lock.
func ofSilentClients() []mutant {
	return []mutant{
		{
			rule: "a batch is committed by the message that locks its partitions", file: "cache/apply.go",
			old: "\tm.Add(`COMMIT`)\n\treturn m.Run(ctx, conn)", new: "\tif err := m.Run(ctx, conn); err != nil {\n\t\treturn err\n\t}\n\t_, err := conn.Exec(ctx, `COMMIT`)\n\treturn err",
			pkg: "./cache", tests: "TestASilentWriterLocksNothing/a_batch",
		},
		{
			invariant: 3, rule: "a rebuild mends no row that was written after it had been looked at", file: "cache/shadow_mend.go",
			old: "FROM found WHERE same", new: "FROM found",
			pkg: "./cache", tests: "TestARowWrittenAfterTheTopicWasReadIsNotMended",
		},
		{
			rule: "a writer of rows waits for a lock for five seconds", file: "cache/store.go",
			old: "\tm.Add(fmt.Sprintf(`SET LOCAL lock_timeout = %d`, wait.Milliseconds()))\n", new: "\t_ = wait\n",
			pkg: "./apply", tests: "TestALockedPartitionStopsNoOtherTopic",
		},
		{
			rule: "with --once the upkeep tries to get each lock once", file: "cache/ddl.go",
			old: "!isLocked(err) || s.once {", new: "!isLocked(err) {",
			pkg: "./cache", tests: "TestUpkeepOnceWaitsForNobody",
		},
		{
			rule: "a program that is frozen while it migrates keeps the lock for ten seconds", file: "internal/migrate/migrate.go",
			old: "\tconfig.RuntimeParams[\"idle_session_timeout\"] = idleWithin\n", new: "\t_ = idleWithin\n",
			pkg: "./internal/migrate", tests: "TestASilentMigratorHoldsNobodyUpForLong",
		},
	}
}
