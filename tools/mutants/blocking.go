package main

// ofWhoBlocks are the rules that no client blocks the others.
func ofWhoBlocks() []mutant {
	return []mutant{
		{
			rule: "a new connection replaces the one that was idle the longest", file: "internal/httpserver/connections.go",
			old: "if c.order.Len() > c.limit {", new: "if c.limit < 0 {",
			pkg: "./internal/daemon", tests: "TestIdleConnectionsDoNotBlockHealthChecks|TestAnswersThatAreNotReadEnd",
		},
		{
			rule: "an answer that the client does not read ends", file: "internal/httpserver/server.go",
			old: "WriteTimeout: l.Write, ", new: "",
			pkg: "./internal/daemon", tests: "TestAnswersThatAreNotReadEnd",
		},
		{
			rule: "a session has our settings, whatever the database's are", file: "internal/session/session.go",
			old: "\tmaps.Copy(params, pinned)\n", new: "\tmaps.Copy(map[string]string{}, pinned)\n",
			pkg: "./internal/session", tests: "TestASessionHasOurSettings",
		},
		{
			rule: "a database that stores no UTF8 is refused", file: "internal/session/settle.go",
			old: `encoding != "" && encoding != "UTF8"`, new: `encoding == "none"`,
			pkg: "./internal/session", tests: "TestADatabaseThatStoresNoUTF8IsRefused",
		},
		{
			rule: "a session that cannot work any more is closed", file: "internal/session/session.go",
			old: "return former(conn, err) && !Spoiled(err.Code)", new: "return former(conn, err)",
			pkg: "./internal/session", tests: "TestASpoiledSessionIsClosed",
		},
		{
			rule: "a database that lost its tables is checked as at the start", file: "internal/connect/recheck.go",
			old: "if session.Missing(err.Code) {", new: "if session.Missing(err.Code) && false {",
			pkg: "./internal/connect", tests: "TestARecreatedDatabaseGetsItsTables|TestADatabaseThatStaysEmptyIsNamed",
		},
		{
			rule: "an idle sink checks whether it could write", file: "apply/sink.go",
			old: "\tif !s.canWrite(asked) {\n\t\treturn\n\t}\n", new: "",
			pkg: "./apply", tests: "TestAnIdleSinkIsNotReadyWithoutADatabase",
		},
		{
			rule: "an idle poller checks whether Kafka answers", file: "capture/poller.go",
			old: "\tall.Go(func() { p.brokers.keepAsking(ctx) })\n", new: "",
			pkg: "./capture", tests: "TestAnIdlePollerIsNotReadyWithoutKafka",
		},
		{
			rule: "an export whose reader stalls holds no snapshot for good", file: "cache/copyout.go",
			old: "\t\tdefer context.AfterFunc(ctx, func() { _ = conn.Conn().Close() })()\n", new: "",
			pkg: "./export", tests: "TestAStalledReaderHoldsNoSnapshotAfterTheLimit",
		},
		{
			rule: "the history's months are the same from any session", file: "schema/migrations/00011_history_zone.sql",
			// Either setting alone is enough.
			old: "ALTER FUNCTION parliamentary_history_ahead(integer) SET TimeZone = 'UTC';\nALTER FUNCTION parliamentary_history_ahead(integer) SET DateStyle = 'ISO, YMD';\n", new: "",
			pkg: "./cache", tests: "TestMonthsAreTheSameFromAnySession",
		},
	}
}
