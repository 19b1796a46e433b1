package main

func ofTheTail() []mutant {
	return []mutant{
		{
			rule: "a pass reads each page from behind the last row of the one before", file: "capture/tail.go",
			old: "p.LastID = next.last\n", new: "p.LastID = next.last + 1\n",
			pkg: "./capture", tests: "TestTailReadsTiesLargerThanAPage",
		},
		{
			rule: "a pass looks back behind the watermark", file: "capture/tail.go",
			old: "t.from(t.began).Add(-lookBack), now", new: "t.from(t.began), now",
			pkg: "./capture", tests: "TestRowsLateWithinTheOverlapAreFound",
		},
		{
			rule: "the lower bound is the earliest text of the Danish clock in the look-back", file: "capture/tail.go",
			old: "oda.EarliestWall(from, until)", new: "oda.Wall(from)",
			pkg: "./capture", tests: "TestTheTailLosesNothingOverAClockChange",
		},
		{
			rule: "the watermark is the beginning of the pass", file: "capture/tail.go",
			old: "\tt.advance(p.Goal)\n", new: "\tp.Goal = t.clock.at(time.Now())\n\tt.advance(p.Goal)\n",
			pkg: "./capture", tests: "TestTheWatermarkIsWhenThePassBegan",
		},
		{
			rule: "a pass of an earlier session is followed by a new one", file: "capture/tail.go",
			old: "if t.saved == nil {\n\t\treturn nil\n\t}\n\treturn t.pass(ctx, nearLookBack)", new: "return nil",
			pkg: "./capture", tests: "TestASavedPassIsFollowedByAWideOne",
		},
		{
			rule: "of two reads of a row the later one counts", file: "capture/recent.go",
			old: "case known && before.began > p.ended:", new: "case known && before.began > p.ended && false:",
			pkg: "./capture", tests: "TestRecent",
		},
		{
			rule: "a row that two overlapping reads show differently is read again", file: "capture/recent.go",
			old: "before.ended > p.began && before.checksum != row.checksum:", new: "before.ended > p.began && before.checksum != row.checksum && false:",
			pkg: "./capture", tests: "TestRecent",
		},
		{
			rule: "lateness counts against the watermark at which the row was asked for", file: "capture/compare.go",
			old: "res.lateness.add(r.Opdateringsdato, r.watermark)", new: "res.lateness.add(r.Opdateringsdato, 0)",
			pkg: "./capture", tests: "TestLatenessCountsOnlyLateRows",
		},
	}
}

func ofTheComparison() []mutant {
	return []mutant{
		{
			invariant: 5, rule: "a row is compared by its content: an edit without a stamp is found", file: "capture/compare.go",
			old: "c.action(entry, ok, hash)", new: "c.action(entry, ok, hash)\n\tdiffers = differs && entry.Stamp != r.Opdateringsdato",
			pkg: "./capture", tests: anyHistory, flags: histories,
		},
		{
			invariant: 5, rule: "a row with another checksum is compared by its content", file: "capture/compare.go",
			old: "checksums[r.ID].Checksum == r.checksum", new: "checksums[r.ID].Checksum != 0",
			pkg: "./capture", tests: "TestOnlyRowsWithAnotherChecksumAreComparedInFull|" + anyHistory, flags: histories,
		},
		{
			invariant: 5, rule: "a row that only the tail saw does not stand for one that the scan missed", file: "capture/checksum.go",
			old: "i >= 0 && r.scanned {", new: "i >= 0 {",
			pkg: "./capture", tests: aRange,
		},
		{
			invariant: 5, rule: "a row that the tail read is compared whatever the checksum of its range", file: "capture/compare.go",
			old: "return r.scanned && i >= 0 && same[i]", new: "return i >= 0 && same[i]",
			pkg: "./capture", tests: aRange,
		},
		{
			invariant: 8, rule: "a range with a row that is not saved yet is compared row by row", file: "capture/compare.go",
			old: "same[i] = false", new: "_ = i",
			pkg: "./capture", tests: aRange,
		},
		{
			rule: "the new checksum of a row with the same content is saved", file: "capture/compare.go",
			old: "res.entries = append(res.entries, withNewChecksum(entry, r))", new: "_ = withNewChecksum(entry, r)",
			pkg: "./capture", tests: "TestOnlyRowsWithAnotherChecksumAreComparedInFull",
		},
		{
			rule: "a checksum is saved only with the content that it belongs to", file: "checkpoint/ledger.go",
			old: "AND l.hash = excluded.hash", new: "",
			pkg: "./checkpoint", tests: "TestANewChecksumIsSavedOnlyForTheSameContent",
		},
		{
			rule: "a row made dirty by hand is published again", file: "checkpoint/checksum.go",
			old: "CASE WHEN hash <> '' THEN spelling ELSE 0 END", new: "spelling",
			pkg: "./checkpoint", tests: "TestARowMadeDirtyByHandHasNoChecksum",
		},
	}
}

func ofTheScan() []mutant {
	return []mutant{
		{
			rule: "a recheck that lacks a neighbour proves nothing", file: "capture/vanished.go",
			old: "if below != nil && absent(*below) || above != nil && absent(*above) {", new: "if below != nil && above != nil && here[-1] {",
			pkg: "./capture", tests: "TestAPageThatLacksARowDeletesNothing|" + anyHistory, flags: histories,
		},
		{
			rule: "a scan that is asked for in the midst of another is made behind it", file: "checkpoint/scan.go",
			old: "SET scan_requested = true", new: "SET scanned_at = NULL",
			pkg: "./capture", tests: "TestAScanRequestedDuringAScanIsMade",
		},
		{
			rule: "too many deletes at once are held back", file: "capture/vanished.go",
			old: "few := int64(len(vanished)) <= limit", new: "few := limit >= 0",
			pkg: "./capture", tests: "TestTooManyDeletesAtOnceAreHeldBackUntilASecondScanAgrees",
		},
		{
			invariant: 3, rule: "a scan's seq is used up, and tells it from the one before", file: "checkpoint/scan.go",
			old: ", seq = greatest(w.seq, excluded.seq)`, lease", new: "`, lease",
			pkg: "./capture", tests: "TestASecondScanAgreesThoughSeqRunsAhead",
		},
		{
			rule: "a set that collapses deletes nothing by itself", file: "capture/vanished.go",
			old: "v.Scans > 1 && !collapsed", new: "v.Scans > 1",
			pkg: "./capture", tests: "TestACollapsedEntityDeletesNothingUntilAPersonConfirms",
		},
		{
			rule: "a row that another request saw meanwhile is not absent", file: "capture/recent.go",
			old: "return !known || l.ended < by.began", new: "return !known || l.ended < by.began || true",
			pkg: "./capture", tests: "TestRecentProvesARowAbsentOnlyIfNoRequestSawIt",
		},
		{
			rule: "a row that is broken is not gone", file: "capture/page.go",
			old: "return reject.ID == id })", new: "return reject.ID == id && false })",
			pkg: "./capture", tests: "TestABrokenRowIsNotDeleted",
		},
		{
			rule: "an element without an id may be the row that is missing", file: "capture/page.go",
			old: "return reject.ID == 0 })", new: "return reject.ID == 0 && false })",
			pkg: "./capture", tests: "TestAnElementWithoutAnIDMayBeAnyRow",
		},
		{
			rule: "the frontier is the beginning of the scan", file: "capture/scan.go",
			old: "done.ConsistentThrough = began", new: "done.ConsistentThrough = done.ScannedAt",
			pkg: "./capture", tests: "TestTheFrontierIsWhenTheScanBegan",
		},
		{
			rule: "the frontier stands still while deletes are held back", file: "capture/scan.go",
			old: "\tif resolved {\n", new: "\tif resolved || true {\n",
			pkg: "./capture", tests: "TestTooManyDeletesAtOnceAreHeldBackUntilASecondScanAgrees|" + anyHistory, flags: histories,
		},
		{
			rule: "a scan that was cut off is followed by a whole one", file: "capture/scan.go",
			old: "if len(at.Ranges) == 0 || !s.cfg.scanDue(", new: "if true || !s.cfg.scanDue(",
			pkg: "./capture", tests: "TestAResumedScanIsFollowedByANewOne",
		},
	}
}
