package main

// ofTheHub breaks what gives each subscriber each change of the topics once.
func ofTheHub() []mutant {
	return []mutant{
		{
			rule: "a full page leaves the rest for the next one", file: "stream/hub_reader.go",
			old: "\t\tif r.full(limit) {\n\t\t\treturn true\n\t\t}\n", new: "\t\tif r.full(limit) {\n\t\t\tbreak\n\t\t}\n",
			pkg: "./stream", tests: "TestSubscribersHaveEachChangeOnce",
		},
		{
			rule: "what was evicted is read from Kafka", file: "stream/hub.go",
			old: "\t\tp.from = oldest.next\n", new: "",
			pkg: "./stream", tests: "TestSubscribersBehindMemoryMissNothing",
		},
		{
			rule: "a recreated topic is another one", file: "stream/cursor.go",
			old: "\t_, _ = h.Write(id[:])\n", new: "",
			pkg: "./stream", tests: "TestASubscriberOfARecreatedTopicIsToldOnce|TestTagsTellTopicsApart",
		},
		{
			rule: "the tombstone of a delete that was read is left out", file: "stream/hub_reader.go",
			old: "case c.Tombstone && known:", new: "case c.Tombstone && known && false:",
			pkg: "./stream", tests: "TestADeleteComesOnceWithOrWithoutItsTombstone",
		},
		{
			rule: "a tombstone alone is a delete", file: "stream/hub_reader.go",
			old: "case c.Tombstone && known:", new: "case c.Tombstone && (known || true):",
			pkg: "./stream", tests: "TestADeleteComesOnceWithOrWithoutItsTombstone",
		},
		{
			rule: "a record of another entity is nobody's change", file: "stream/hub.go",
			old: "m, err := h.cfg.Decode(rec)", new: "m, err := Decode(rec)",
			pkg: "./stream", tests: "TestRecordsThatAreNoChangesAreSkipped",
		},
	}
}

// ofAPlace breaks what a reader is told of its place.
func ofAPlace() []mutant {
	return []mutant{
		{
			rule: "an event stream begins with its place", file: "gateway/changes.go",
			old: "place(\"changes follow\", req.after)", new: "place(\"changes follow\", stream.Cursor{})",
			pkg: "./gateway", tests: "TestAnEventStreamBeginsWithItsPlace",
		},
		{
			rule: "all statements of an answer are of one moment", file: "query/reader.go",
			old: "return request.AsOf == nil && len(request.Links) == 0", new: "return true || request.AsOf == nil && len(request.Links) == 0",
			pkg: "./query", tests: "TestOneStatementNeedsNoTransaction",
		},
		{
			rule: "a page says that there is more until the hub has all that the topics hold", file: "stream/hub_changes.go",
			old: "\tcase r.unfetched():\n\t\tmore = toFetch\n", new: "",
			pkg: "./stream", tests: "TestAPageSaysThatThereIsMoreThanTheHubHas",
		},
		{
			rule: "a cursor is as old as the last time at the end of its topics", file: "stream/hub_changes.go",
			old: "\tif more == nothing {\n\t\tr.since", new: "\tif true {\n\t\tr.since",
			pkg: "./stream", tests: "TestAPageSaysThatThereIsMoreThanTheHubHas",
		},
		{
			rule: "an end without records is reached", file: "stream/hub_run.go",
			old: "\t\th.passEmptyEnds(ctx, topics, before)\n", new: "\t\t_ = before\n",
			pkg: "./stream", tests: "TestAnEndWithoutRecordsIsReached/fake",
		},
		{
			rule: "a reader that was away for longer than deletes are kept is told", file: "stream/hub_behind.go",
			old: "if unread && time.Since(after.since) > t.keeps {", new: "if unread && time.Since(after.since) < 0 {",
			pkg: "./stream", tests: "TestAReaderThatWasAwayForLongIsTold",
		},
		{
			rule: "a place beyond the topic's end is no place", file: "stream/hub_behind.go",
			old: "if p.at > end.Offset {", new: "if p.at < 0 {",
			pkg: "./stream", tests: "TestAPlaceBeyondTheEndIsTooOld",
		},
		{
			rule: "who waits is told that Kafka is away", file: "stream/hub_run.go",
			old: "\t\tif h.setTrouble(err); err != nil {\n", new: "\t\tif err != nil {\n",
			pkg: "./stream", tests: "TestWithoutKafkaThereIsAnErrorAndThenTheRest",
		},
	}
}
