package main

// ofForeignData are the rules about records and rows that nobody promised.
func ofForeignData() []mutant {
	return []mutant{
		{
			invariant: 5, rule: "a record on the topic of another entity is dead-lettered", file: "stream/decode.go",
			old: "if !ours || !schema.HasSuffix(m.Change.Entity, suffix) {", new: "if !ours && suffix == \"\" {",
			pkg: "./apply", tests: "TestRecordsOnTheTopicOfAnotherEntityChangeNoRow",
		},
		{
			invariant: 8, rule: "a record of another entity is not folded into the ledger", file: "capture/fold.go",
			old: "case c.Entity != f.entity:", new: "case c.Entity == \"\":",
			pkg: "./capture", tests: "TestTheFoldIgnoresRecordsOfOtherEntities",
		},
		{
			invariant: 5, rule: "a fold continues at a stamp that Postgres refuses", file: "checkpoint/ledger.go",
			old: "return schema.StorableText(e.Stamp)", new: "return e.Stamp",
			pkg: "./capture", tests: "TestANULInAStampStopsNobody",
		},
		{
			invariant: 5, rule: "a row whose stamp has a NUL is a reject", file: "oda/splitter.go",
			old: "if bytes.IndexByte(text, 0) >= 0 {", new: "if bytes.IndexByte(text, 0) >= len(text) {",
			pkg: "./oda", tests: "TestElementsThatAreNotRowsAreRejects",
		},
		{
			invariant: 3, rule: "a record whose seq is a day ahead is dead-lettered", file: "stream/decode.go",
			old: "if SeqAhead(rec, m.Change.Seq) {", new: "if SeqAhead(rec, m.Change.Seq) && m.Change.Seq < 0 {",
			pkg: "./apply", tests: "TestAForgedSeqIsDeadLettered",
		},
		{
			invariant: 3, rule: "a record whose seq is a day ahead never raises the counter", file: "capture/fold.go",
			old: "case stream.SeqAhead(rec, c.Seq):", new: "case stream.SeqAhead(rec, c.Seq) && c.Seq < 0:",
			pkg: "./capture", tests: "TestRowsHiddenByRefusedRecordsArePublishedAgain",
		},
		{
			invariant: 8, rule: "a row that a refused record hides is published again", file: "capture/fold.go",
			old: "err == nil && entity == f.entity", new: "err == nil && entity == \"\"",
			pkg: "./capture", tests: "TestRowsHiddenByRefusedRecordsArePublishedAgain",
		},
		{
			rule: "an export writes directly to what is not a file", file: "export/file.go",
			old: "err == nil && !info.Mode().IsRegular()", new: "err == nil && info.IsDir()",
			pkg: "./export", tests: "TestAFIFOIsWrittenDirectly",
		},
		{
			rule: "an export follows links", file: "export/file.go",
			old: "\ttarget, err := followLinks(path)\n", new: "\ttarget, err := path, error(nil)\n",
			pkg: "./export", tests: "TestALinkIsFollowed",
		},
	}
}

// ofALaggingSource breaks what holds against a source of which one node lags behind, and
// against a topic that loses its front.
func ofALaggingSource() []mutant {
	return []mutant{
		{
			rule: "a row with an older stamp is read again before it is published", file: "capture/older.go",
			old: "|| r.Opdateringsdato < entry.Stamp)", new: ")",
			pkg: "./capture", tests: "TestANodeThatLagsPublishesNothingOlder",
		},
		{
			rule: "a row with an older stamp is read more than once", file: "capture/older.go",
			old: "const maxRereads = 3", new: "const maxRereads = 1",
			pkg: "./capture", tests: "TestANodeThatLagsPublishesNothingOlder",
		},
		{
			invariant: 5, rule: "a row that stays older is published", file: "capture/older.go",
			old: "rows[i].lastReread = last", new: "rows[i].lastReread = false",
			pkg: "./capture", tests: "TestARowThatStaysOlderIsPublished",
		},
		{
			invariant: 5, rule: "rows are read again from short pages too", file: "capture/older.go",
			old: "more, asked.IDs.Low = p.more, p.last", new: "more, asked.IDs.Low = false, p.last",
			pkg: "./capture", tests: "TestRowsThatStayOlderArePublishedFromShortPages",
		},
		{
			invariant: 5, rule: "an older row that is gone when it is read again has vanished", file: "capture/older.go",
			old: "r.comparer.addVanished(missing, &all)", new: "_ = missing",
			pkg: "./capture", tests: "TestAnOlderRowThatVanishesIsDeletedByTheSameScan",
		},
		{
			invariant: 5, rule: "a row that a recheck saw and a reread did not is outstanding", file: "capture/compare.go",
			old: "if r.origin != schema.OriginTail && !r.deleted {", new: "if r.scanned && !r.deleted {",
			pkg: "./capture", tests: "TestARowThatVanishesBehindARecheckIsOutstanding",
		},
		{
			invariant: 5, rule: "a row that two reads show differently, and is gone, has vanished", file: "capture/writer.go",
			old: "gone = append(gone, rows[i])", new: "",
			pkg: "./capture", tests: "TestARowThatIsGoneAfterAConflictIsApart",
		},
		{
			invariant: 8, rule: "a topic that lost its front is filled again", file: "capture/fold.go",
			old: "case known.Start < state.Start[partition]:", new: "case known.Next < state.Start[partition]:",
			pkg: "./capture", tests: "TestATopicThatLostItsFrontIsFilledAgain",
		},
		{
			invariant: 8, rule: "the start of a topic is kept with what was read from it", file: "checkpoint/progress.go",
			old: "next_offset = excluded.next_offset, start_offset = excluded.start_offset", new: "next_offset = excluded.next_offset",
			pkg: "./checkpoint", tests: "TestPositionsFollowTheTopic",
		},
	}
}

// ofTheProbe breaks what holds against one bad answer to a probe.
func ofTheProbe() []mutant {
	const pkg, tests = "./oda", "TestOneUnfilteredAnswerStopsNoEntity"
	return []mutant{
		{
			rule: "a probe by id and stamp believes in no single answer", file: "oda/probe_stamp.go",
			old: "if stray { // a fault of one answer", new: "if false { // a fault of one answer", pkg: pkg, tests: tests,
		},
		{
			rule: "a probe of an empty window believes in no single answer", file: "oda/probe_filter.go",
			old: "if errors.Is(err, ErrNotHonoured) { // a fault of one answer", new: "if false { // a fault of one answer", pkg: pkg, tests: tests,
		},
		{
			rule: "a probe of rows without a stamp believes in no single answer", file: "oda/probe_filter.go",
			old: "if _, stray := stamped(s.rows); stray {", new: "if _, stray := stamped(s.rows); stray && false {", pkg: pkg, tests: tests,
		},
	}
}

// ofMisplacedRecords are the rules about records on another partition than their key's.
func ofMisplacedRecords() []mutant {
	return []mutant{
		{
			invariant: 8, rule: "a record on another partition than its key's is buried", file: "capture/fold.go",
			old: "return f.burier.Bury(ctx, misplaced)", new: "return nil",
			pkg: "./capture", tests: "TestMisplacedRecordsAreBuried",
		},
		{
			invariant: 3, rule: "the row of a misplaced record is published above its tombstone", file: "capture/fold.go",
			old: "Seq: entry.Seq + 1, State: checkpoint.Dirty}", new: "Seq: 0, State: checkpoint.Dirty}",
			pkg: "./capture", tests: "TestMisplacedRecordsAreBuried",
		},
		{
			invariant: 8, rule: "a misplaced record is buried where it lies", file: "stream/partitioner.go",
			old: "!= nil && int(r.Partition) < n {", new: "!= nil && int(r.Partition) < 0 {",
			pkg: "./stream", tests: "TestMisplacedRecordsAreBuried",
		},
		{
			invariant: 3, rule: "the tombstone of a misplaced record is newer than it", file: "stream/misplaced.go",
			old: "deleted.Seq = m.Change.Seq + 1", new: "deleted.Seq = m.Change.Seq",
			pkg: "./stream", tests: "TestMisplacedRecordsAreBuried",
		},
	}
}

// ofForeignPages breaks what holds against pages that nobody promised.
func ofForeignPages() []mutant {
	return []mutant{
		{
			invariant: 5, rule: "ids below 1 are asked for", file: "capture/scan.go",
			old: "r.Low = schema.NoStart", new: "r.Low = -1",
			pkg: "./capture", tests: "TestIDsAtEveryEdgeAreFollowed",
		},
		{
			rule: "nothing is asked for above the highest id", file: "capture/reader.go",
			old: "p.more = known && p.last < w.IDs.High", new: "p.more = known && p.last <= w.IDs.High",
			pkg: "./capture", tests: "TestIDsAtEveryEdgeAreFollowed",
		},
		{
			invariant: 5, rule: "a page that ends with a row without an id ends its window", file: "capture/reader.go",
			old: "!known && len(p.rejects) >= schema.PageSize {", new: "!known && len(p.rejects) > 0 {",
			pkg: "./capture", tests: "TestAHighestRowWithoutAnIDStopsNobody",
		},
		{
			invariant: 7, rule: "an answer without a known row deletes nothing", file: "capture/vanished.go",
			old: "v.Confirmed || hasNeighbour && agreed {", new: "v.Confirmed || agreed {",
			pkg: "./capture", tests: "TestASmallSetIsNotDeletedOnEmptyAnswers",
		},
		{
			rule: "a set within the limit may fall to less than a page", file: "capture/vanished.go",
			old: "agreed := few ||", new: "agreed := few && read > schema.PageSize ||",
			pkg: "./capture", tests: "TestASetMayFallToLessThanAPage",
		},
		{
			rule: "a terminal obeys no foreign text of a command", file: "internal/cli/cli.go",
			old: "stderr: console.VisibleWriter(stderr)", new: "stderr: stderr",
			pkg: "./internal/cli", tests: "TestATerminalObeysNoErrorText",
		},
		{
			rule: "a headline is one line", file: "internal/console/headline.go",
			old: "oneLine(strings.Join(c.Changed, \", \"))", new: "strings.Join(c.Changed, \", \")",
			pkg: "./internal/console", tests: "TestAHeadlineIsOneLine",
		},
		{
			rule: "the largest record limit has dead letters of the same", file: "stream/topics.go",
			old: "return min(limit+deadLetterRoom, math.MaxInt32)", new: "return max(limit+deadLetterRoom, math.MinInt32)",
			pkg: "./stream", tests: "TestTheLargestRecordLimitIsTaken",
		},
	}
}
