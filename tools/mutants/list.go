package main

import "slices"

const (
	anyHistory = "TestAnyHistoryEndsAtTheSource"
	aRange     = "TestARangeIsSkippedOnlyIfItsChecksumIsEqual"
	anyOrder   = "TestAnyOrderEndsAtTheSameCache"
	anySinks   = "TestAnyHistoryOfSinksIsExactlyOnce"
)

// histories sets the number of histories in which a mutant may be found, and turns off
// the search for a shorter one.
var histories = []string{"-rapid.checks=40", "-rapid.shrinktime=0s", "-rapid.nofailfile"}

// mutants is the list, capture first.
func mutants() []mutant {
	return slices.Concat(ofTheSource(), ofTheTail(), ofTheComparison(), ofTheScan(), ofTheTopic(), ofARecreatedTopic(), ofTheLease(), ofTheCache(), ofTheSink(), ofTheGroup(), ofTheAssignment(), ofTheRepairs(), ofWhoBlocks(), ofForeignData())
}

func ofTheSource() []mutant {
	return []mutant{
		{
			invariant: 7, rule: "a row outside the window that was asked for spoils its page", file: "oda/window.go",
			old: "if err := r.admitID(id); err != nil || !r.stamped {", new: "if err := r.admitID(id); err != nil || true {",
			pkg: "./oda", tests: "TestStampsOutsideTheWindowAreNotHonoured",
		},
		{
			invariant: 7, rule: "a page with far more elements than were asked for is refused", file: "oda/splitter.go",
			old: "len(s.content.rejects) == maxElements {", new: "len(s.content.rejects) == -1 {",
			pkg: "./oda", tests: "TestElementsOfAPageAreCounted",
		},
		{
			rule: "a page is read up to a number of bytes, decompressed", file: "oda/client.go",
			old: "limit: maxPage, check", new: "limit: maxPage << 3, check",
			pkg: "./oda", tests: "TestHostileAnswersEndInBoundedMemory",
		},
		{
			rule: "the user of the source's address is in no record", file: "stream/record.go",
			old: "u.User, u.RawQuery, u.Fragment = nil", new: "_, u.RawQuery, u.Fragment = u.User",
			pkg: "./stream", tests: "TestTheSourceOfARecordHasNoUser",
		},
		{
			rule: "what pgx would take for a parameter of the server is no address", file: "internal/settings/postgres.go",
			old: "if !parameter.MatchString(name) {", new: "if !parameter.MatchString(name) && name == \"\" {",
			pkg: "./internal/settings", tests: "TestUnreadableAddressesAreBadSettingsThatShowNothing",
		},
		{
			rule: "a redirect to another host is not followed", file: "oda/redirect.go",
			old: "if !strings.EqualFold(from.Hostname(), to.Hostname()) {", new: "if strings.EqualFold(\"\", to.Hostname()) {",
			pkg: "./oda", tests: "TestRedirectsElsewhereAreRefused",
		},
		{
			rule: "a redirect goes from http to https only", file: "oda/redirect.go",
			old: "return from.Scheme == \"http\" && to", new: "return to.Scheme == \"http\" || to",
			pkg: "./oda", tests: "TestRedirectFromHTTPSToHTTPIsRefused",
		},
		{
			rule: "the stamp is no content: a row stamped anew is not published", file: "schema/hash.go",
			old: "if string(name) != stampName {", new: "if len(name) > 0 {",
			pkg: "./capture", tests: "TestAMassOfNewStampsPublishesOnlyWhatChanges",
		},
	}
}

func ofTheTail() []mutant {
	return []mutant{
		{
			rule: "a pass reads each page from behind the last row of the one before", file: "capture/tail.go",
			old: "p.LastID = next.last\n", new: "p.LastID = next.last + 1\n",
			pkg: "./capture", tests: "TestTailReadsTiesLargerThanAPage",
		},
		{
			rule: "a pass looks back behind the watermark", file: "capture/tail.go",
			old: "t.watermark.Add(-lookBack), now, now.Add(ahead)", new: "t.watermark, now, now.Add(ahead)",
			pkg: "./capture", tests: "TestRowsLateWithinTheOverlapAreFound",
		},
		{
			rule: "the lower bound is the earliest text of the Danish clock in the look-back", file: "capture/tail.go",
			old: "oda.EarliestWall(from, until)", new: "oda.Wall(from)",
			pkg: "./capture", tests: "TestTheTailLosesNothingOverAClockChange",
		},
		{
			rule: "the watermark is the beginning of the pass", file: "capture/tail.go",
			old: "until := t.watermark.Add(-lookBack), now, now.Add(ahead)", new: "until := t.watermark.Add(-lookBack), now.Add(ahead), now.Add(ahead)",
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
			old: "v.Confirmed || agreed && !collapsed", new: "v.Confirmed || agreed",
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
			invariant: 8, rule: "a topic made anew is filled anew", file: "capture/fold.go",
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
			invariant: 8, rule: "a topic made anew tells of what was deleted meanwhile", file: "checkpoint/reset.go",
			old: "UPDATE poller_ledger SET seq = 0, hash = NULL, spelling = 0, stamp = NULL, fields = NULL", new: "DELETE FROM poller_ledger",
			pkg: "./capture", tests: "TestARecreatedTopicHasTheDeletesMadeMeanwhile|" + anyHistory, flags: histories,
		},
		{
			rule: "a source that collapsed while its topic was made anew deletes nothing", file: "checkpoint/scan.go",
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
	const fence = "WHERE entity_type = $1 AND holder = $2 AND epoch = $3 FOR UPDATE`"
	return []mutant{
		{
			invariant: 4, rule: "a save whose lease was taken saves nothing", file: "checkpoint/lease.go",
			old: fence, new: "WHERE entity_type = $1 AND $2 <> '' AND $3::bigint > 0 FOR UPDATE`",
			pkg: "./checkpoint", tests: "TestSaveWithALostLeaseChangesNothing",
		},
		{
			invariant: 4, rule: "a lease does not change hands in the midst of a save", file: "checkpoint/lease.go",
			old: fence, new: "WHERE entity_type = $1 AND holder = $2 AND epoch = $3`",
			pkg: "./checkpoint", tests: "TestATakeoverWaitsForARunningSave|TestNoSaveSucceedsAfterATakeover",
		},
		{
			invariant: 4, rule: "a lease that runs is taken by nobody else", file: "checkpoint/lease.go",
			old: "WHERE l.expires_at <= clock_timestamp() OR l.holder = excluded.holder", new: "WHERE true",
			pkg: "./checkpoint", tests: "TestAcquireFailsWhileAnotherHoldsTheLease|TestRaceForALeaseHasOneWinner",
		},
	}
}

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
			invariant: 2, rule: "a batch whose offset was moved by another is dropped whole", file: "cache/apply.go",
			old: "conflictError(a.lost); err", new: "conflictError(nil); err",
			pkg: "./cache", tests: "TestMoves|TestOneOfTwoWritersMovesTheOffset",
		},
		{
			rule: "a batch that changes rows writes their history", file: "cache/apply.go",
			old: "if !a.history && a.result", new: "if false && a.result",
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
			pkg: "./apply", tests: "TestWriteLongerThanTheSessionEvictsNobody",
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
			invariant: 2, rule: "what a sink writes for a partition that it has lost is dropped", file: "cache/apply.go",
			old: "conflictError(a.lost); err", new: "conflictError(nil); err",
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
			old: "\tqueueDeadLetters(b, a.batch.DeadLetters)\n", new: "",
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

func ofTheRepairs() []mutant {
	return []mutant{
		{
			invariant: 3, rule: "a rebuild judges under the sink's locks", file: "cache/shadow.go",
			old: "if _, err := tx.Exec(ctx, lockPartitions, t.lockKeys()); err != nil {", new: "if _, err := tx.Exec(ctx, \"SELECT 1\"); err != nil {",
			pkg: "./cache", tests: "TestExamineHoldsTheSinksLocks|TestRowsAppliedDuringARebuildStay",
		},
		{
			invariant: 3, rule: "a rebuild reads the topic on to its end before it judges", file: "cache/shadow.go",
			old: "if err := readOn(ctx); err != nil {\n\t\t\treturn err\n\t\t}", new: "_ = readOn",
			pkg: "./cache", tests: "TestRowsAppliedDuringARebuildStay",
		},
		{
			rule: "a rebuild leaves to the sink what it has yet to apply", file: "cache/shadow_compare.go",
			old: "WHEN t.\"offset\" >= ($3::bigint[])[t.part + 1] THEN 'pending'", new: "WHEN ($3::bigint[])[t.part + 1] < 0 THEN 'pending'",
			pkg: "./cache", tests: "TestPendingRowsAreLeftToTheSink",
		},
		{
			rule: "an offset older than the topic keeps deletes has the topic looked through", file: "stream/start_age.go",
			old: "if ages[topic] <= keeps {", new: "if ages[topic] <= keeps || true {",
			pkg: "./apply", tests: "TestABackupOlderThanTheTopicKeepsDeletesConverges",
		},
	}
}
