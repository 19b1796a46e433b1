package main

// ofHostileAnswers breaks what holds against a source that shows the past, or nothing,
// where one answer would be believed.
func ofHostileAnswers() []mutant {
	return []mutant{
		{
			rule: "a deleted row that comes back is read again before it is published", file: "capture/older.go",
			old: "entry.State == checkpoint.Deleted || entry.State == checkpoint.Dirty && entry.Stamp == \"\"", new: "entry.State == checkpoint.Dirty && entry.Stamp == \"\"",
			pkg: "./capture", tests: "TestANodeThatLagsBringsNoDeletedRowBack",
		},
		{
			rule: "a row that becomes Dirty keeps the stamp of its newest version", file: "checkpoint/ledger.go",
			old: "THEN excluded.stamp ELSE l.stamp END", new: "THEN excluded.stamp ELSE excluded.stamp END",
			pkg: "./checkpoint", tests: "TestTheStampOfTheNewestVersionStays|TestLedgerAgainstAModel",
		},
		{
			rule: "an older version is not published for a Dirty row", file: "capture/older.go",
			old: "(isDeleted(entry) ||", new: "(isDeleted(entry) || entry.State != checkpoint.Dirty &&",
			pkg: "./capture", tests: "TestANodeThatLagsPublishesNothingOlderOfADirtyRow",
		},
		{
			rule: "a recreated topic is not filled with older versions", file: "checkpoint/reset.go",
			old: "spelling = 0, fields = NULL", new: "spelling = 0, stamp = NULL, fields = NULL",
			pkg: "./capture", tests: "TestANodeThatLagsFillsNoTopicWithOlderVersions",
		},
		{
			rule: "of several reads of a row the newest version is published", file: "capture/older.go",
			old: "if again.Opdateringsdato >= rows[i].Opdateringsdato {", new: "if true {",
			pkg: "./capture", tests: "TestTheNewestOfSeveralReadsIsPublished",
		},
		{
			invariant: 5, rule: "an empty page ends no range of a scan", file: "capture/scan.go",
			old: "s.reader.readConfirmed(", new: "s.reader.read(",
			pkg: "./capture", tests: "TestAnEmptyPageEndsNoScan",
		},
		{
			invariant: 5, rule: "an empty page ends no pass that no later one repeats", file: "capture/tail.go",
			old: "read = t.reader.readConfirmed", new: "_ = t.reader.readConfirmed",
			pkg: "./capture", tests: "TestAnEmptyPageEndsNoLongPass",
		},
		{
			invariant: 5, rule: "an empty page proves no row deleted", file: "capture/vanished.go",
			old: "r.reader.readConfirmed(", new: "r.reader.read(",
			pkg: "./capture", tests: "TestAnEmptyPageProvesNoRowDeleted",
		},
		{
			invariant: 5, rule: "a row that was seen between a scan and its recheck is not deleted", file: "capture/compare.go",
			old: "if !c.vanished[id] || !c.recent", new: "if !c.recent",
			pkg: "./capture", tests: "TestARowThatIsSeenBeforeTheRecheckIsNotDeleted",
		},
	}
}

// ofHostileRecords breaks what holds in verify, and against whoever may write to a topic.
func ofHostileRecords() []mutant {
	return []mutant{
		{
			rule: "verify believes in no single empty page", file: "verify/ranges.go",
			old: "page, err := c.readConfirmed(ctx, schema.IDRange{Low: at, High: r.High})",
			new: "page, err := c.source.Page(ctx, c.out.Name, oda.Window{IDs: schema.IDRange{Low: at, High: r.High}}, oda.Scan)",
			pkg: "./verify", tests: "TestAnEmptyAnswerHidesNoRow",
		},
		{
			invariant: 3, rule: "a record whose seq was a day ahead when it was written stays refused", file: "stream/decode.go",
			old: "		at = rec.Timestamp\n", new: "		_ = rec.Timestamp\n",
			pkg: "./stream", tests: "TestARecordFromTheFutureStaysRefused",
		},
		{
			rule: "verify reads the lowest id of all again", file: "verify/recheck.go",
			old: "Low: schema.OneID(asked[0]).Low, High", new: "Low: asked[0] - 1, High",
			pkg: "./verify", tests: "TestTheLowestIDIsReadAgain",
		},
		{
			invariant: 5, rule: "a dead letter fits though its key or headers are large", file: "stream/deadletter.go",
			old: "if rec = trimmed(rec); len", new: "if len",
			pkg: "./stream", tests: "TestADeadLetterFitsWhateverIsLarge",
		},
	}
}
